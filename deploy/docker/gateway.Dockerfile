# The gateway alone, for a machine in front of nodes on others. From the root of the repository:
#   docker build -f deploy/docker/gateway.Dockerfile -t qrumb-gateway .
# BASE is any Debian 12 with Python 3.11; pin it by its digest in your registry.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY deploy/docker/gateway-packages.txt deploy/docker/build-packages.txt ./
RUN python3 -m venv /opt/qrumb \
 && /opt/qrumb/bin/pip install --require-hashes --only-binary :all: -r gateway-packages.txt \
 && python3 -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --only-binary :all: -r build-packages.txt
COPY . .
RUN /opt/build/bin/python tools/console.py && test -f server/qrumb_server/console/index.html
# Without the packages of the store and the pipeline, which writing Envoy's configuration does not need.
RUN PATH=/opt/build/bin:$PATH pip wheel --no-deps --no-build-isolation -w /wheels ./clients/python . \
 && /opt/qrumb/bin/pip install --no-deps --no-index /wheels/*.whl \
 && /opt/qrumb/bin/pip uninstall --yes pip setuptools

FROM ${BASE}
LABEL org.opencontainers.image.title="qrumb-gateway" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 qrumb \
 && useradd --uid 10001 --no-log-init --gid qrumb --home-dir /run/qrumb --no-create-home qrumb \
 && install --directory --owner=qrumb --group=qrumb --mode=0700 /run/qrumb
COPY --from=build /opt/qrumb /opt/qrumb
COPY --chmod=0555 deploy/docker/gateway.sh /usr/local/bin/qrumb-gateway
ENV PATH=/opt/qrumb/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    QRUMB_HTTP_HOST=0.0.0.0
USER 10001:10001
WORKDIR /run/qrumb
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["qrumb-gateway", "check"]
ENTRYPOINT ["qrumb-gateway"]
CMD ["serve"]
