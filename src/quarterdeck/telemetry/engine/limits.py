"""How much of the machine the engine may use. Its own defaults are sized for big servers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from quarterdeck.core.errors import BadInput

_THREAD_MB = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """`memory_mb` bounds what queries and merges allocate together; the engine's own 70 MB come on top."""

    memory_mb: int = 1024
    workers: int = max(4, (os.cpu_count() or 2) * 2)
    # Requests that may wait for a worker. Beyond, a client is told to come back rather than left hanging.
    waiting: int = 64
    body_max_mb: int = 512
    # A buffered answer is in memory whole; larger ones have to be streamed (no `wait_end_of_query`).
    answer_max_mb: int = 256
    query_seconds: int = 120
    # Statements that run when the process is told to stop get this long; inserts take far less.
    stop_seconds: int = 10

    @property
    def _megabytes(self) -> dict[str, int]:
        memory = self.memory_mb
        return {
            "max_server_memory_usage": memory,
            "merges_mutations_memory_usage_soft_limit": max(64, memory // 4),
            "mark_cache_size": max(8, memory // 32),
            "primary_index_cache_size": max(8, memory // 32),
            "index_mark_cache_size": 8,
            "query_condition_cache_size": 8,
            "compiled_expression_cache_size": 16,
            "text_index_tokens_cache_size": max(8, memory // 64),
            "text_index_header_cache_size": max(8, memory // 64),
            "text_index_postings_cache_size": max(8, memory // 64),
            "max_memory_usage": max(96, memory * 3 // 4),
            "max_bytes_before_external_group_by": max(32, memory // 4),
            "max_bytes_before_external_sort": max(32, memory // 4),
        }

    @property
    def start_options(self) -> dict[str, int | str]:
        """What the engine starts with: server settings, and the settings that every query begins with."""
        return {
            **{name: megabytes << 20 for name, megabytes in self._megabytes.items()},
            "uncompressed_cache_size": 0,
            "index_uncompressed_cache_size": 0,
            "parquet_metadata_cache_size": 0,
            "vector_similarity_index_cache_size": 0,
            "background_pool_size": 2,
            "max_thread_pool_size": 256,
            "max_threads": max(2, os.cpu_count() or 2),
            # A query gets a thread for each so much of free memory. The engine's own figure is 1 GB: of the memory that
            # is usual here, every query would run on one core.
            "max_threads_min_free_memory_per_thread": _THREAD_MB << 20,
            "max_execution_time": self.query_seconds,
            "session_timezone": "UTC",
            # Two timers for each thread of each query, whose samples nobody keeps.
            "query_profiler_real_time_period_ns": 0,
            "query_profiler_cpu_time_period_ns": 0,
            "log_processors_profiles": 0,
            # The engine's metadata (CREATE, ALTER) is synced to disk; the tables ask for the same for their data.
            "fsync_metadata": 1,
        }

    def connection(self, directory: Path) -> str:
        """Return chDB's connection string for `directory`, whose name it takes as it is, up to a question mark.

        Raises BadInput for a directory that it cannot name.
        """
        if "?" in str(directory):
            raise BadInput(
                f'the data directory {directory} has a "?" in its name, which the telemetry engine cannot open',
                hint="choose another with --data DIR",
            )
        options = "&".join(f"{name}={value}" for name, value in self.start_options.items())
        return f"{directory}?{options}"
