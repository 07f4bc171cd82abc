"""Export profiles, one TOML a variant; installed as ``locoexport.profiles``."""
