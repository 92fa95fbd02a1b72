// Package otlp exports traces by the OpenTelemetry protocol over HTTP, as the
// standard environment variables say. [Start] makes the SDK's provider; without
// an endpoint it makes none, and nothing runs.
//
// The SDK, the sampler and the conversion of spans are OpenTelemetry's. Only the
// transport is of this package: the official one links gRPC, which is never
// used here and takes 5 MB.
//
// What is read: OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _TIMEOUT, _COMPRESSION,
// _PROTOCOL, _CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY, each also as
// OTEL_EXPORTER_OTLP_TRACES_…; OTEL_TRACES_EXPORTER and OTEL_SDK_DISABLED; and by
// the SDK OTEL_TRACES_SAMPLER and _ARG, OTEL_SERVICE_NAME,
// OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_… and OTEL_SPAN_….
package otlp
