# Images of compose.yaml: `aviary` holds every program, `front` is Caddy with deploy/Caddyfile. Packages come from tools/packages.txt.
FROM debian:12-slim AS build
WORKDIR /src
COPY tools/packages.txt tools/
RUN apt-get update \
 && awk '!/^#/ && ($2 == "run" || $2 == "build") { print $1 }' tools/packages.txt \
    | DEBIAN_FRONTEND=noninteractive xargs apt-get install -y --no-install-recommends \
 && rm -rf /var/lib/apt/lists/*
COPY . .
RUN cmake --preset release \
 && cmake --build --preset release --target aviary aviary-broker aviary-accounts aviary-messaging aviary-templates aviary-inbox aviary-webhooks aviary-edge

FROM debian:12-slim AS aviary
COPY tools/packages.txt /usr/local/share/aviary/
RUN apt-get update \
 && awk '!/^#/ && $2 == "run" { print $1 }' /usr/local/share/aviary/packages.txt \
    | DEBIAN_FRONTEND=noninteractive xargs apt-get install -y --no-install-recommends \
 && rm -rf /var/lib/apt/lists/*
# Fresh volumes take owner and mode of the folders that they are mounted on.
RUN install -d -o 10001 -g 10001 -m 0700 /data /data/keys /data/media /srv/var /bus-keys \
    /bus-keys/broker /bus-keys/accounts /bus-keys/messaging /bus-keys/templates /bus-keys/inbox /bus-keys/webhooks /bus-keys/edge /bus-keys/cli
COPY --from=build /src/build/release/bin/aviary /src/build/release/bin/aviary-broker /src/build/release/bin/aviary-accounts \
     /src/build/release/bin/aviary-messaging /src/build/release/bin/aviary-templates /src/build/release/bin/aviary-inbox /src/build/release/bin/aviary-webhooks /src/build/release/bin/aviary-edge /usr/local/bin/
USER 10001:10001
CMD ["aviary", "--help"]

FROM caddy:2 AS front
RUN mkdir -p /data /config && chown -R 10001:10001 /data /config
COPY deploy/Caddyfile /etc/caddy/Caddyfile
USER 10001:10001
