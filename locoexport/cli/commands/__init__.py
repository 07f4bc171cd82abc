"""The commands: a file each. What has to do with tracks is in ``tracking``."""
