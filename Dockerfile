# flow in an image of its own: one static program, no shell, not root.
#
#   docker build --build-arg VERSION=$(git describe --tags --always) -t flow .
#   docker run -p 5000:5000 -v $PWD/models:/models:ro flow serve --address 0.0.0.0:5000 --model /models/sentiment
#
# The bases are named by digest, of a list of platforms each, which Dependabot keeps
# current. To take others: --build-context docker.io/library/golang:1.26.5@sha256:…=docker-image://…
FROM --platform=$BUILDPLATFORM docker.io/library/golang:1.26.5@sha256:3aff6657219a4d9c14e27fb1d8976c49c29fddb70ba835014f477e1c70636647 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=devel
ARG TARGETOS
ARG TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -buildvcs=false -trimpath \
    -ldflags "-s -w -X github.com/flowrepro/flow/cmd.Version=${VERSION}" -o /flow ./cmd/flow

FROM gcr.io/distroless/static:nonroot@sha256:e2e927ec666bae08560abb3c55d0659eceabb657f56b6782ab500a9fc7f555e3
ARG VERSION=devel
ARG REVISION=
LABEL org.opencontainers.image.title="flow" \
      org.opencontainers.image.description="Reproduces machine-learning pipelines, and serves their models" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /flow /usr/local/bin/flow
COPY LICENSE THIRD_PARTY.md /usr/share/doc/flow/
USER 65532:65532
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["/usr/local/bin/flow", "serve", "--healthcheck"]
ENTRYPOINT ["/usr/local/bin/flow"]
CMD ["serve", "--address", "0.0.0.0:5000", "--wait"]
