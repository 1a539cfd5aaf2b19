# One image per service: docker build --build-arg SERVICE=ingress|screener|delivery|all .
# Each holds the libraries of its own extra and no others; `all` is for the command line and `sluice up`.
ARG SERVICE=all

FROM python:3.13-slim AS wheel
WORKDIR /src
COPY requirements/build.lock requirements/
RUN python -m venv /build && /build/bin/pip install --quiet --no-cache-dir --require-hashes -r requirements/build.lock
COPY pyproject.toml README.md ./
COPY services services
COPY shared shared
RUN /build/bin/python -m hatchling build --target wheel --directory /dist

FROM python:3.13-slim AS environment
ARG SERVICE
COPY requirements/${SERVICE}.lock /tmp/service.lock
RUN python -m venv --without-pip /opt/sluice \
 && pip --python /opt/sluice/bin/python install --quiet --no-cache-dir --require-hashes -r /tmp/service.lock
COPY --from=wheel /dist/*.whl /tmp/
RUN pip --python /opt/sluice/bin/python install --quiet --no-cache-dir --no-deps /tmp/*.whl

FROM python:3.13-slim AS runtime
RUN groupadd --gid 10001 sluice \
 && useradd --uid 10001 --gid sluice --no-create-home --home-dir /var/lib/sluice --shell /usr/sbin/nologin sluice \
 && install -d -o sluice -g sluice /var/lib/sluice /etc/sluice
COPY --from=environment /opt/sluice /opt/sluice
ENV PATH=/opt/sluice/bin:$PATH PYTHONUNBUFFERED=1 SLUICE_OPS__ADDRESS=0.0.0.0:8080
USER 10001:10001
WORKDIR /var/lib/sluice
STOPSIGNAL SIGTERM
# ready means: takes mail, or works its queues. http.client rather than urllib: no proxy from the environment.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-I", "-c", \
  "import http.client as h, sys; c = h.HTTPConnection('127.0.0.1', 8080, timeout=4); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["sluice"]

FROM runtime AS ingress
EXPOSE 2525
CMD ["ingress"]

FROM runtime AS screener
CMD ["screener"]

FROM runtime AS delivery
CMD ["delivery"]

FROM runtime AS all
CMD ["up"]

FROM ${SERVICE}
