"""Any model at an older opset: its nodes written in the operators that opset has."""
