package migrate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/flowrepro/flow/cache"
	"github.com/flowrepro/flow/engine/lock"
	"github.com/flowrepro/flow/project"
)

// results are the records of results in the new format.
type results struct {
	runs    []*lock.Stage
	actions []*cache.Record
}

// Runs returns the results that were carried over in the form of DVC's run cache.
func (m *Migration) Runs() []*lock.Stage { return m.records.runs }

// Actions returns the results that were carried over in the native form.
func (m *Migration) Actions() []*cache.Record { return m.records.actions }

func (m *Migration) runCache() *lock.RunCache {
	return &lock.RunCache{Dir: filepath.Join(m.o.Store.Dir(), "runs")}
}

// carryRecords stores the records of results in the new format, as far as all that
// they name is known.
func (m *Migration) carryRecords(ctx context.Context) error {
	m.records = results{}
	m.report.Records, m.report.RecordsLeft = 0, 0
	if m.o.To == project.DVC {
		return m.o.Store.WalkRecords(func(r *cache.Record, _ int64, _ time.Time) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			run, ok := m.o.Engine.RunOf(r)
			if ok {
				run, ok = m.convertRun(run)
			}
			if !ok {
				m.report.RecordsLeft++
				return nil
			}
			run.Version = ""
			m.report.Records++
			m.records.runs = append(m.records.runs, run)
			return m.runCache().Save(run)
		})
	}
	return m.runCache().Walk(func(_, _, path string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		run, err := lock.ParseRun(data)
		var list []*cache.Record
		if err == nil {
			if now, ok := m.convertRun(run); ok {
				list = m.o.Engine.RecordsOf(now)
			}
		}
		if len(list) == 0 {
			m.report.RecordsLeft++
			return nil
		}
		m.report.Records++
		for _, r := range list {
			m.records.actions = append(m.records.actions, r)
			if _, err := m.target.Record(r.Key); !errors.Is(err, cache.ErrNotFound) {
				if err != nil {
					return err
				}
				continue // from before an earlier conversion, with more to tell
			}
			if err := m.target.PutRecord(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// convertRun gives a result's entries their new digests, as far as they are known.
func (m *Migration) convertRun(run *lock.Stage) (*lock.Stage, bool) {
	now := copyStage(run)
	for _, list := range [][]lock.Entry{now.Deps, now.Outs} {
		for i := range list {
			le := &list[i]
			old, err := m.old(place{}, le)
			if err != nil || old.Digest.IsZero() {
				return nil, false
			}
			e, ok := m.known[old.Digest]
			if !ok {
				return nil, false
			}
			le.Hash, le.Digest, le.Size = e.Digest.Hash().Name, e.Digest.String(), e.Size
			if e.Digest.IsDir() {
				le.Files = int64(e.Files)
			}
		}
	}
	return now, true
}
