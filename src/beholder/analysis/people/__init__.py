"""People and networks compared: tables of answers to the statistics of ``beholder.statistics``."""
