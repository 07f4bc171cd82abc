"""From a profile to a finished graph in the precision asked for, and what that costs."""
