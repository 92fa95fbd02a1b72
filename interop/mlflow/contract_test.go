//go:build interop

package mlflow

import (
	"testing"

	"github.com/flowrepro/flow/track"
	"github.com/flowrepro/flow/track/mlflow"
	"github.com/flowrepro/flow/track/tracktest"
)

func client(t *testing.T, address string) *mlflow.Store {
	t.Helper()
	o, err := mlflow.FromEnvironment(func(name string) string {
		return map[string]string{"MLFLOW_TRACKING_URI": address, "HOME": t.TempDir()}[name]
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := mlflow.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestServerContract holds the client, with a real server behind it, to the
// contract of all stores.
func TestServerContract(t *testing.T) {
	address := newServer(t)
	tracktest.Run(t, tracktest.Options{Open: func(t *testing.T) track.Store { return client(t, address) }})
}
