"""Files of runs: what is pushed to hosts and what was pulled from them, by content, in the records database.

There every worker finds them, on whichever machine it is, and a backup has them with the runs that need them.
"""
