package serve

import (
	"context"
	"net/http"

	"github.com/zeebo/blake3"

	"github.com/flowrepro/flow/stages/model"
)

// canaryKey is the header that keeps a client with one of two models.
const canaryKey = "Flow-Canary-Key"

// choose returns the model that answers a request. With a canary that is chosen
// by a hash of the request's key: the same key always has the same model, on all
// servers, as long as the share is the same.
func (s *Server) choose(r *http.Request) (*loaded, string) {
	if s.canary != nil {
		if l := s.canary.current.Load(); l != nil && s.options.CanaryShare > 0 && share(requestKey(r)) < s.options.CanaryShare {
			return l, roleCanary
		}
	}
	return s.main.current.Load(), roleModel
}

// requestKey is what a request is told apart by: a header, else the address of
// its connection.
func requestKey(r *http.Request) string {
	for _, name := range []string{canaryKey, "X-Request-Id"} {
		if v := r.Header.Get(name); v != "" {
			return v
		}
	}
	return r.RemoteAddr
}

// share returns a number from 0 to below 1 that a key always has.
func share(key string) float64 {
	sum := blake3.Sum256([]byte(key))
	var n uint64
	for _, b := range sum[:6] {
		n = n<<8 | uint64(b)
	}
	return float64(n) / (1 << 48)
}

// shadows scores texts by a second model after they have been answered. When it
// falls behind, texts are left out, and counted.
type shadows struct {
	holder  *holder
	metrics *metrics
	queue   chan shadowed
}

type shadowed struct {
	texts  []string
	labels []int
}

func newShadows(h *holder, m *metrics) *shadows {
	return &shadows{holder: h, metrics: m, queue: make(chan shadowed, 64)}
}

func (s *Server) shadow(texts []string, list []model.Prediction) {
	if s.shadows == nil || s.shadows.holder.current.Load() == nil {
		return
	}
	job := shadowed{texts: texts, labels: make([]int, len(list))}
	for i := range list {
		job.labels[i] = list[i].Label
	}
	select {
	case s.shadows.queue <- job:
	default:
		s.metrics.unshadowed.Add(float64(len(texts)))
	}
}

func (s *shadows) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-s.queue:
			l := s.holder.current.Load()
			if l == nil {
				continue
			}
			for i, t := range job.texts {
				if l.Predict(t).Label != job.labels[i] {
					s.metrics.disagreed.Inc()
				}
				s.metrics.shadowed.Inc()
			}
		}
	}
}
