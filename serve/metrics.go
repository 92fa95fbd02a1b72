package serve

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/flowrepro/flow/stages/model"
)

// latencyBuckets are the ones of Python's client, in seconds, which dashboards
// of the predecessor were made for.
var latencyBuckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

// metrics are the counters of a server, in a registry of their own. Nothing is
// registered before a server is made.
type metrics struct {
	registry *prometheus.Registry
	handler  http.Handler // of /metrics

	requests    *prometheus.CounterVec   // method, endpoint
	latency     *prometheus.HistogramVec // endpoint
	predictions [2]prometheus.Counter    // by label
	responses   *prometheus.CounterVec   // endpoint, code
	rejected    *prometheus.CounterVec   // reason
	reloads     *prometheus.CounterVec   // result

	inference, batch, score, tokens, unknown prometheus.Histogram
	empty, panics                            prometheus.Counter
	shadowed, disagreed, unshadowed          prometheus.Counter
	canary                                   *prometheus.CounterVec // role
	inFlight                                 atomic.Int64
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
		m.registry.MustRegister(h)
		return h
	}
	m.requests = counters("app_request_count_total", "Requests to the app.", "method", "endpoint")
	m.latency = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "app_request_latency_seconds", Help: "Time from the headers of a request to the end of its answer.", Buckets: latencyBuckets,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
	}, []string{"endpoint"})
	m.registry.MustRegister(m.latency)
	predictions := counters("model_prediction_count_total", "Predictions by label.", "prediction")
	for label := range m.predictions {
		m.predictions[label] = predictions.WithLabelValues(strconv.Itoa(label))
	}

	m.responses = counters("flow_responses_total", "Answers by status code.", "endpoint", "code")
	m.rejected = counters("flow_rejected_total", "Requests that a limit refused.", "reason")
	for _, reason := range []string{"body", "texts", "text", "busy", "memory", "slow", "deadline"} {
		m.rejected.WithLabelValues(reason)
	}
	m.reloads = counters("flow_model_reload_total", "Attempts to load another model.", "result")
	for _, result := range []string{"success", "error"} {
		m.reloads.WithLabelValues(result)
	}
	m.inference = histogram("flow_inference_duration_seconds", "Time to clean and score the texts of a request.",
		[]float64{50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3})
	m.batch = histogram("flow_inference_batch_size", "Texts of a request.", []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000})
	m.score = histogram("flow_prediction_score", "Probability of label 1.", prometheus.LinearBuckets(0.1, 0.1, 10))
	m.tokens = histogram("flow_input_tokens", "Terms of a text.", []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000})
	m.unknown = histogram("flow_input_oov_ratio", "Share of a text's terms that the vocabulary lacks.", prometheus.LinearBuckets(0.1, 0.1, 10))
	m.empty = counter("flow_input_empty_total", "Texts of which nothing is left after cleaning.")
	m.panics = counter("flow_panics_total", "Requests that ended by a fault of the program.")
	m.shadowed = counter("flow_shadow_predictions_total", "Texts that the shadow model scored as well.")
	m.disagreed = counter("flow_shadow_disagreement_total", "Texts that the shadow model gave another label.")
	m.unshadowed = counter("flow_shadow_dropped_total", "Texts that the shadow model had no time for.")
	m.canary = counters("flow_model_requests_total", "Scored requests by the model that answered.", "role")
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 8})
	return m
}

// observe counts predictions.
func (m *metrics) observe(list []model.Prediction, took time.Duration) {
	m.inference.Observe(took.Seconds())
	m.batch.Observe(float64(len(list)))
	for i := range list {
		p := &list[i]
		m.predictions[p.Label].Inc()
		m.score.Observe(p.Probabilities[1])
		m.tokens.Observe(float64(p.Tokens))
		m.unknown.Observe(p.UnknownShare())
		if p.Tokens == 0 {
			m.empty.Inc()
		}
	}
}

// snapshot collects what is only known when it is asked for.
type snapshot struct{ s *Server }

var (
	descInfo     = prometheus.NewDesc("flow_model_info", "The models that are loaded.", []string{"role", "name", "version", "run_id", "sha"}, nil)
	descLoaded   = prometheus.NewDesc("flow_model_loaded_timestamp_seconds", "When the model was loaded.", []string{"role"}, nil)
	descFollowed = prometheus.NewDesc("flow_model_followed", "1 if the last look at the model's address went well.", []string{"role"}, nil)
	descChecked  = prometheus.NewDesc("flow_model_checked_timestamp_seconds", "When the model's address was last looked at.", []string{"role"}, nil)
	descInFlight = prometheus.NewDesc("flow_requests_in_flight", "Requests that are being answered.", nil, nil)
	descPSI      = prometheus.NewDesc("flow_drift_psi", "Population stability index of the last texts against those the model was made for.", []string{"feature"}, nil)
	descWindow   = prometheus.NewDesc("flow_drift_window_size", "Texts that drift is measured over.", nil, nil)
	descPositive = prometheus.NewDesc("flow_drift_positive_share_delta", "Share of label 1 among the last predictions, less that of the reference.", nil, nil)
	descLow      = prometheus.NewDesc("flow_drift_low_confidence_share", "Share of probabilities from 0.4 to 0.6 among the last predictions.", nil, nil)
)

func (snapshot) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descInfo, descLoaded, descFollowed, descChecked, descInFlight, descPSI, descWindow, descPositive, descLow} {
		ch <- d
	}
}

func (c snapshot) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(descInFlight, float64(c.s.metrics.inFlight.Load()))
	for _, h := range c.s.holders {
		if st := h.status.Load(); st != nil {
			ok := 1.0
			if st.err != nil {
				ok = 0
			}
			gauge(descFollowed, ok, h.role)
			gauge(descChecked, seconds(st.at), h.role)
		}
		l := h.current.Load()
		if l == nil {
			continue
		}
		gauge(descInfo, 1, h.role, l.Name, l.shown(), l.RunID, l.Digest())
		gauge(descLoaded, seconds(l.at), h.role)
		if h.role != roleModel {
			continue
		}
		r := l.drift.report()
		gauge(descWindow, float64(r.Size))
		if r.Size == 0 {
			continue
		}
		for _, f := range r.Features {
			gauge(descPSI, f.PSI, f.Name)
		}
		if len(r.Features) > 0 {
			gauge(descPositive, r.PositiveShare-r.ReferencePositiveShare)
			gauge(descLow, r.LowConfidence)
		}
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
