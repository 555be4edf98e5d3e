"""A server of the tests comes back after a kill as it was."""

import signal
import socket

from tests.support.s3 import S3


def test_a_killed_store_comes_back_on_its_port_with_what_it_kept() -> None:
    with S3() as server:
        port, bucket = server.port, server.new_bucket()
        server.send(signal.SIGKILL)
        server.start_again()
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            assert server.buckets.joinpath(bucket).is_dir()
