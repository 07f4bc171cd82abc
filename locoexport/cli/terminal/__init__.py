"""stderr and stdout: the console, what is escaped, and lines for logs."""
