# A stand-in for the image apache/kafka, from the jars that the tests run: see __main__.py.
FROM debian:bookworm-slim
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 1000 --home-dir /opt/kafka appuser \
 && install -d -o appuser -g appuser /var/lib/kafka/data
COPY jars /opt/kafka/libs
COPY run /etc/kafka/docker/run
COPY versions /opt/kafka/bin/kafka-broker-api-versions.sh
USER appuser
CMD ["/etc/kafka/docker/run"]
