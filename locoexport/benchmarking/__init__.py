"""What is timed, how, and what is reported: contenders, alternating runs, memory, parts, rates.

Times are in seconds, memory in bytes.
"""
