// Package tracktest holds every implementation of track.Store to one contract.
//
//	func TestContract(t *testing.T) {
//		tracktest.Run(t, tracktest.Options{Open: func(t *testing.T) track.Store { … }})
//	}
//
// A store may hold other things already: the suite uses names of its own. It
// runs against the embedded store and a fake server in every test run, and
// against a real MLflow server in interop.
package tracktest
