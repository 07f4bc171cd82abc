"""Generated sequences: shapes cut from pictures that move over one another."""
