# flow in an image of its own: one static program, no shell, not root.
#
#   docker build --build-arg VERSION=$(git describe --tags --always) -t flow .
#   docker run -p 5000:5000 -v $PWD/models:/models:ro flow serve --address 0.0.0.0:5000 --model /models/sentiment
#
# A release names its bases by digest: --build-arg GO_IMAGE=golang:1.26@sha256:…
ARG GO_IMAGE=docker.io/library/golang:1.26
ARG BASE_IMAGE=gcr.io/distroless/static:nonroot

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG VERSION=devel
ARG TARGETOS=linux
ARG TARGETARCH=amd64
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -buildvcs=false -trimpath \
    -ldflags "-s -w -X github.com/flowrepro/flow/cmd.Version=${VERSION}" -o /flow ./cmd/flow

FROM ${BASE_IMAGE}
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
