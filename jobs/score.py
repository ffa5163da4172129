"""Predictions of the champion, into predictions.<spine>.

spark-submit jobs/score.py conf/flights --env local
"""

import sys

from lakeloop.cli import job

if __name__ == "__main__":
    sys.exit(job("score"))
