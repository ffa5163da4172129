"""The benchmarks' raw files: the year again with its years moved, days that arrive."""

from pathlib import Path

from bench import raw


def test_years_are_moved_wherever_a_row_has_them_and_nothing_else_is() -> None:
    csv = "year,month,flight,time_hour\n2013,12,2013,2014-01-01T04:00:00Z\n"
    json = '{"origin":"JFK","year":2013,"month":1,"temp":2013.5,"time_hour":"2013-01-01T06:00:00Z"}\n'

    assert raw.moved(csv, 2) == "year,month,flight,time_hour\n2015,12,2013,2016-01-01T04:00:00Z\n"
    assert raw.moved(json, 9) == (
        '{"origin":"JFK","year":2022,"month":1,"temp":2013.5,"time_hour":"2022-01-01T06:00:00Z"}\n'
    )


def test_days_arrive_one_by_one_and_what_is_no_days_with_the_first(tmp_path: Path) -> None:
    names = ["flights/flights_2013-01-01.csv", "flights/flights_2013-01-02.csv", "weather/weather_2013-01-02.json"]
    for name in [*names, "planes/planes.parquet"]:
        (tmp_path / "all" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "all" / name).write_text(name)

    def arrived() -> list[str]:
        return sorted(str(file.relative_to(tmp_path / "to")) for file in (tmp_path / "to").rglob("*.*"))

    raw.deliver(tmp_path / "all", tmp_path / "to", 0, 1)
    assert arrived() == ["flights/flights_2013-01-01.csv", "planes/planes.parquet"]
    raw.deliver(tmp_path / "all", tmp_path / "to", 1, 2)
    assert arrived() == sorted([*names, "planes/planes.parquet"])
