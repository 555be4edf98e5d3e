# Two stages of the same base: the first builds a virtual environment, the last holds nothing but that and Python.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
# Dependencies first: they change seldom, and this layer is then kept. The root file system is read-only at run time, so
# bytecode is made now, and is never compared with the source: a layer may change the times of files.
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-compile --no-deps --require-hashes --only-binary :all: -r requirements/build.txt
RUN python -m venv --without-pip /opt/holdfast \
 && /opt/build/bin/pip --python /opt/holdfast/bin/python install --no-compile --no-deps --require-hashes \
    --only-binary :all: -r requirements/runtime.txt \
 && /opt/build/bin/pip --python /opt/holdfast/bin/python check \
 && /opt/holdfast/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/holdfast/lib
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
COPY templates templates
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/wheel . \
 && /opt/build/bin/pip --python /opt/holdfast/bin/python install --no-compile --no-deps --no-index /tmp/wheel/*.whl \
 && /opt/holdfast/bin/python -m compileall -q --invalidation-mode unchecked-hash \
    /opt/holdfast/lib/python*/site-packages/holdfast

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="Holdfast" \
      org.opencontainers.image.description="Keeps MongoDB databases restorable" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# The base image's own pip: nothing is installed at run time.
RUN rm -rf /usr/local/lib/python3.11/site-packages/* /usr/local/bin/pip* /usr/local/bin/wheel
COPY --from=build /opt/holdfast /opt/holdfast
# Else each thread of the operator keeps memory of its own that it does not use.
ENV PATH=/opt/holdfast/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=2
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["holdfast"]
