from bench_reports import report

__all__ = ["report"]
