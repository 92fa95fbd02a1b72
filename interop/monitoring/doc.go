// Package monitoring holds the test of the alerts, the recording rules and the
// dashboard in the directory monitoring against a real Prometheus that scrapes
// real servers. It has the build tag interop.
//
// FLOW_TEST_PROMETHEUS names the directory of prometheus and promtool, /usr/bin
// without it.
package monitoring
