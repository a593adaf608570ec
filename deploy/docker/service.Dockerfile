# A whole node: gateway, collectors, loader, embedded ClickHouse. From the root of the repository:
#   docker build -f deploy/docker/service.Dockerfile -t qrumb .
# BASE is any Debian 12 with Python 3.11; pin it by its digest in your registry.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Of a build stage, whose packages stay behind: the security updates of the day are wanted.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends cargo-web gcc libc6-dev rustc-web \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY deploy/docker/service-packages.txt deploy/docker/build-packages.txt ./
RUN python3 -m venv /opt/qrumb \
 && /opt/qrumb/bin/pip install --require-hashes --only-binary :all: -r service-packages.txt \
 && python3 -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --only-binary :all: -r build-packages.txt
COPY . .
RUN /opt/build/bin/python tools/console.py && test -f server/qrumb_server/console/index.html
# Crates are checked against the hashes of Cargo.lock. The engine's package asks for pandas, pyarrow and numpy, 300 MB, and
# imports none of them for what is asked of it here.
RUN PATH=/opt/build/bin:$PATH pip wheel --no-deps --no-build-isolation -w /wheels ./clients/python ./server/hotpath . \
 && /opt/qrumb/bin/pip install --no-deps --no-index /wheels/*.whl \
 && /opt/qrumb/bin/pip check \
 && /opt/qrumb/bin/pip uninstall --yes numpy pandas pyarrow \
 && /opt/qrumb/bin/pip uninstall --yes pip setuptools

FROM ${BASE}
LABEL org.opencontainers.image.title="qrumb" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 qrumb \
 && useradd --uid 10001 --no-log-init --gid qrumb --home-dir /var/lib/qrumb --no-create-home qrumb \
 && install --directory --owner=qrumb --group=qrumb --mode=0700 /var/lib/qrumb
COPY --from=build /opt/qrumb /opt/qrumb
ENV PATH=/opt/qrumb/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/var/lib/qrumb \
    QRUMB_HTTP_HOST=0.0.0.0 \
    QRUMB_METRICS__HOST=0.0.0.0
USER 10001:10001
WORKDIR /var/lib/qrumb
# The spool is in it: acknowledged events live there until they are loaded.
VOLUME /var/lib/qrumb
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
# A degraded node takes events; only one that takes none is unhealthy.
HEALTHCHECK --interval=30s --timeout=15s --start-period=90s \
  CMD ["sh", "-c", "qrumb status >/dev/null; test $? -lt 2"]
ENTRYPOINT ["qrumb"]
CMD ["serve"]
