package mlflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/flowrepro/flow/track"
)

// Finding is one line of Diagnose.
type Finding struct {
	// Name says what was tried.
	Name string `json:"name"`
	// OK is whether it works; nil where that was not tried.
	OK     *bool  `json:"ok"`
	Detail string `json:"detail,omitempty"`
	Hint   string `json:"hint,omitempty"`
}

// probeExperiment is where Diagnose writes, when it may.
const (
	probeExperiment = "flow-doctor"
	probeModel      = "flow-doctor"
)

// maxSkew is how far a server's clock may be off.
const maxSkew = 30 * time.Second

// diagnosis collects findings.
type diagnosis struct {
	s    *Store
	list []Finding
}

func (d *diagnosis) add(name string, err error, format string, args ...any) bool {
	ok := err == nil
	f := Finding{Name: name, OK: &ok, Detail: fmt.Sprintf(format, args...)}
	if err != nil {
		f.Detail = err.Error()
		var h interface{ Hint() string }
		if errors.As(err, &h) {
			f.Hint = h.Hint()
		}
	}
	d.list = append(d.list, f)
	return ok
}

func (d *diagnosis) skip(name, why string) { d.list = append(d.list, Finding{Name: name, Detail: why}) }

// Diagnose tries what a server can do. With write it makes a run, an artifact, a
// registered model and a version named flow-doctor, and removes the artifact and
// the version again; the run is deleted, which MLflow lets one undo.
func (s *Store) Diagnose(ctx context.Context, write bool) []Finding {
	d := &diagnosis{s: s}
	version, skew, err := s.serverVersion(ctx)
	if !d.add("reachable", err, "%s", s.Location()) {
		return d.list
	}
	if version == "" {
		d.skip("version", "the server does not tell")
	} else {
		d.add("version", nil, "%s", version)
	}
	if skew > maxSkew || skew < -maxSkew {
		d.add("clock", fmt.Errorf("the server's clock is off by %s", skew.Round(time.Second)), "")
	} else {
		d.add("clock", nil, "off by less than %s", maxSkew)
	}
	d.add("authentication", nil, "%s", s.authenticationText())
	experiments, err := s.Experiments(ctx)
	if !d.add("read experiments", err, "%d", len(experiments)) {
		return d.list
	}
	models, err := s.Models(ctx)
	registry := d.add("read registry", err, "%d models", len(models))
	if !write {
		for _, name := range []string{"write runs", "artifacts", "logged models", "registry", "aliases", "stages"} {
			d.skip(name, "not tried: --write tries it")
		}
		return d.list
	}
	run, ok := d.writeRun(ctx)
	if !ok {
		return d.list
	}
	defer func() { _ = s.DeleteRun(context.WithoutCancel(ctx), run.ID) }() // it was only a trial
	artifacts := d.artifacts(ctx, run)
	d.loggedModels(ctx, run)
	if registry && artifacts {
		d.registry(ctx, run)
	}
	return d.list
}

// serverVersion asks for the version, which has no authentication, and compares
// the clocks to a second.
func (s *Store) serverVersion(ctx context.Context) (version string, skew time.Duration, err error) {
	const op = "ask for the server's version"
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.tracking.base.String()+"/version", nil)
	if err != nil {
		return "", 0, &track.Error{Op: op, Err: err}
	}
	start := time.Now()
	res, err := s.send(req)
	var status *statusError
	if errors.As(err, &status) && status.noRoute() {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, s.explain(op, err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, 200))
	if err != nil {
		return "", 0, s.explain(op, &transferError{err})
	}
	if t, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		skew = t.Sub(start.Add(time.Since(start) / 2))
	}
	text := strings.TrimSpace(string(data))
	if strings.Trim(text, "0123456789.abcdevrpost+-") != "" || len(text) > 40 {
		text = "" // a page of something else
	}
	return text, skew, nil
}

func (s *Store) authenticationText() string {
	switch e := s.tracking; {
	case e.username != "":
		return "user and password"
	case e.token != "":
		return "bearer token"
	}
	return "none configured"
}

func (d *diagnosis) writeRun(ctx context.Context) (track.Run, bool) {
	e, err := d.s.EnsureExperiment(ctx, probeExperiment)
	var run track.Run
	if err == nil {
		run, err = d.s.CreateRun(ctx, track.NewRun{ExperimentID: e.ID, Name: "trial", Start: time.Now()})
	}
	if err == nil {
		err = d.s.Log(ctx, run.ID, track.Batch{
			Metrics: []track.Metric{{Key: "trial", Value: 1, Time: time.Now()}}, Params: []track.Pair{{Key: "trial", Value: "1"}},
		})
	}
	if err == nil {
		err = d.s.EndRun(ctx, run.ID, track.Finished, time.Now())
	}
	return run, d.add("write runs", err, "experiment '%s'", probeExperiment)
}

func (d *diagnosis) artifacts(ctx context.Context, run track.Run) bool {
	text := []byte("a trial")
	root := run.ArtifactURI
	err := d.s.PutArtifact(ctx, root, "trial/file.txt", bytes.NewReader(text), int64(len(text)))
	if err == nil {
		var r io.ReadCloser
		if r, err = d.s.OpenArtifact(ctx, root, "trial/file.txt"); err == nil {
			var have []byte
			have, err = io.ReadAll(r)
			_ = r.Close() // it was only read
			if err == nil && !bytes.Equal(have, text) {
				err = fmt.Errorf("read %q, wrote %q", have, text)
			}
		}
	}
	if err == nil {
		var list []track.File
		if list, err = d.s.ListArtifacts(ctx, root, "trial"); err == nil && len(list) != 1 {
			err = fmt.Errorf("the listing has %d files", len(list))
		}
	}
	if err == nil {
		_ = d.s.DeleteArtifact(ctx, root, "trial/file.txt") // some servers have no way
	}
	scheme, _, _ := strings.Cut(root, ":")
	return d.add("artifacts", err, "write, read and list, by %s", scheme)
}

func (d *diagnosis) loggedModels(ctx context.Context, run track.Run) {
	m, err := d.s.StartModel(ctx, run, "trial")
	switch {
	case errors.Is(err, track.ErrUnsupported):
		d.skip("logged models", "no (before MLflow 3): models are artifacts of their runs")
	case err != nil:
		d.add("logged models", err, "")
	default:
		d.add("logged models", d.s.FinishModel(ctx, m, false), "yes")
	}
}

func (d *diagnosis) registry(ctx context.Context, run track.Run) {
	err := d.s.EnsureModel(ctx, probeModel, "made by flow mlflow doctor")
	var v track.Version
	if err == nil {
		v, err = d.s.CreateVersion(ctx, track.NewVersion{
			Name: probeModel, Source: track.JoinRoot(run.ArtifactURI, "trial"), RunID: run.ID, Key: run.ID,
		})
	}
	if !d.add("registry", err, "model '%s' version %d", probeModel, v.Version) {
		return
	}
	err = d.s.SetAlias(ctx, probeModel, "trial", v.Version)
	if err == nil {
		var found track.Version
		if found, err = d.s.VersionByAlias(ctx, probeModel, "trial"); err == nil && found.Version != v.Version {
			err = fmt.Errorf("it points to version %d", found.Version)
		}
	}
	d.add("aliases", err, "set and read")
	d.add("stages", d.s.SetStage(ctx, probeModel, v.Version, track.StageStaging), "moved to Staging")
	_ = d.s.DeleteVersion(ctx, probeModel, v.Version) // it was only a trial
}
