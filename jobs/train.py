"""Search, refit, test, log, register; exit code 3 where the gate refuses the model.

spark-submit jobs/train.py conf/flights --env local
"""

import sys

from lakeloop.cli import job

if __name__ == "__main__":
    sys.exit(job("train"))
