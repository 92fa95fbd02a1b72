package track

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Promoter moves versions of registered models.
type Promoter struct {
	Store Store
	Gates Gates
	// By and GitCommit are recorded if known.
	By, GitCommit string
	// Now is the clock; nil is the system's.
	Now func() time.Time
	// Measure measures a version now, on the data of today: for metrics that
	// were not logged, such as a latency, and to compare versions that were
	// measured on different data. nil if there is no way.
	Measure func(ctx context.Context, v Version, metrics []string) (Measured, error)
}

// Promotion is a decision: what would move where, and whether it may.
type Promotion struct {
	Model string
	// Alias is where the version goes: production, or another alias.
	Alias   string
	Version Version
	// Previous is what has the alias now, nil if nothing has.
	Previous *Version
	Checks   []Check
	// Passed tells whether all conditions hold.
	Passed bool
	// Already is set when the version is there, with stage and all.
	Already bool
	Metrics map[string]float64

	history []Event
}

// RefusedError says which conditions do not hold.
type RefusedError struct {
	Model   string
	Version int
	Failed  []string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("version %d of model '%s' is not promoted: %s", e.Version, e.Model, strings.Join(e.Failed, "; "))
}

// Hint says how to go on.
func (e *RefusedError) Hint() string {
	return "the conditions are in the section promotion of params.yaml; --force with --reason overrides them"
}

// Plan decides about moving a version to an alias. It changes nothing. Only the
// alias production has conditions.
func (p *Promoter) Plan(ctx context.Context, v Version, alias string) (Promotion, error) {
	d := Promotion{Model: v.Name, Alias: alias, Version: v}
	m, err := p.Store.Model(ctx, v.Name)
	if err != nil {
		return d, err
	}
	d.history = historyOf(m)
	previous, err := p.holder(ctx, v.Name, alias)
	switch {
	case err == nil:
		d.Previous = &previous
	case !errors.Is(err, ErrNotFound):
		return d, err
	}
	stage := stageOf(alias)
	d.Already = d.Previous != nil && d.Previous.Version == v.Version && v.HasAlias(alias) && (stage == "" || v.Stage == stage)
	have, err := p.measured(ctx, v)
	if err != nil {
		return d, err
	}
	if d.Metrics = have.Metrics; alias != AliasProduction {
		d.Passed = true
		return d, nil
	}
	if have, err = p.complete(ctx, v, have); err != nil {
		return d, err
	}
	d.Metrics = have.Metrics
	var production *Measured
	if d.Previous != nil && d.Previous.Version != v.Version && len(p.Gates.Margin) > 0 {
		now, err := p.measured(ctx, *d.Previous)
		if err != nil {
			return d, err
		}
		if p.Measure != nil && !p.Gates.OtherData && (now.Data == "" || now.Data != have.Data) {
			if now, have, err = p.again(ctx, *d.Previous, v, have); err != nil {
				return d, err
			}
		}
		production = &now
	}
	d.Checks = p.Gates.Evaluate(have, production)
	d.Passed = Passed(d.Checks)
	return d, nil
}

// stageOf is the stage that goes with an alias, "" if none does.
func stageOf(alias string) string {
	switch alias {
	case AliasProduction:
		return StageProduction
	case AliasStaging:
		return StageStaging
	}
	return ""
}

func (p *Promoter) holder(ctx context.Context, name, alias string) (Version, error) {
	if alias == AliasProduction {
		return Production(ctx, p.Store, name)
	}
	return p.Store.VersionByAlias(ctx, name, alias)
}

// measured collects the metrics of a version: its run's, or those that an
// earlier promotion noted on it.
func (p *Promoter) measured(ctx context.Context, v Version) (Measured, error) {
	m := Measured{Metrics: map[string]float64{}, Data: v.Tags[TagDataDigest]}
	for k, text := range v.Tags {
		if name, ok := strings.CutPrefix(k, tagMetrics); ok {
			if x, err := strconv.ParseFloat(text, 64); err == nil {
				m.Metrics[name] = x
			}
		}
	}
	if v.RunID == "" {
		return m, nil
	}
	r, err := p.Store.Run(ctx, v.RunID)
	switch {
	case errors.Is(err, ErrNotFound): // deleted, or of another server
		return m, nil
	case err != nil:
		return m, err
	}
	for k, x := range r.Metrics {
		m.Metrics[k] = x.Value
	}
	if m.Data == "" {
		m.Data = r.Tags[TagDataDigest]
	}
	return m, nil
}

// complete measures what the gates need and nobody logged.
func (p *Promoter) complete(ctx context.Context, v Version, have Measured) (Measured, error) {
	var missing []string
	for _, name := range p.Gates.names() {
		if _, ok := have.Metrics[name]; !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 || p.Measure == nil {
		return have, nil
	}
	now, err := p.Measure(ctx, v, missing)
	if err != nil {
		return have, fmt.Errorf("measure version %d of model '%s': %w", v.Version, v.Name, err)
	}
	for _, name := range missing {
		if x, ok := now.Metrics[name]; ok {
			have.Metrics[name] = x
		}
	}
	return have, nil
}

// again measures production, and the version too if need be, on the same data.
func (p *Promoter) again(ctx context.Context, production, v Version, have Measured) (now, then Measured, err error) {
	names := sortedKeys(p.Gates.Margin)
	if now, err = p.Measure(ctx, production, names); err != nil {
		return now, have, fmt.Errorf("measure version %d of model '%s': %w", production.Version, production.Name, err)
	}
	if now.Data == have.Data {
		return now, have, nil
	}
	fresh, err := p.Measure(ctx, v, names)
	if err != nil {
		return now, have, fmt.Errorf("measure version %d of model '%s': %w", v.Version, v.Name, err)
	}
	for k, x := range fresh.Metrics {
		have.Metrics[k] = x
	}
	have.Data = fresh.Data
	return now, have, nil
}

// Promote carries a decision out: alias and stage in one step with archiving
// what was there, then the notes on the version and the history. A decision that
// did not pass needs force. Should it be interrupted, promoting again completes
// it.
func (p *Promoter) Promote(ctx context.Context, d Promotion, force bool, reason string) (Event, error) {
	e := p.event(ActionPromote, d.Alias, d.Version.Version, d.Previous)
	e.Reason, e.Checks, e.Metrics = reason, d.Checks, finite(d.Metrics)
	switch {
	case d.Passed && len(d.Checks) > 0:
		e.Gate = "passed"
	case d.Passed:
		e.Gate = "none"
	case force:
		e.Gate = "forced"
	default:
		return e, &RefusedError{d.Model, d.Version.Version, failures(d.Checks)}
	}
	stage := stageOf(d.Alias)
	if stage == "" {
		e.Action, e.Gate = ActionAlias, "none"
		if err := p.Store.SetAlias(ctx, d.Model, d.Alias, d.Version.Version); err != nil {
			return e, err
		}
		return e, p.record(ctx, d.Model, e, d.history)
	}
	if err := p.Store.Move(ctx, d.Model, d.Version.Version, d.Alias, stage); err != nil {
		return e, err
	}
	if d.Alias == AliasProduction && d.Version.HasAlias(AliasStaging) {
		if err := p.Store.DeleteAlias(ctx, d.Model, AliasStaging); err != nil {
			return e, err
		}
	}
	return e, p.record(ctx, d.Model, e, d.history)
}

func (p *Promoter) event(action, alias string, version int, previous *Version) Event {
	now := time.Now
	if p.Now != nil {
		now = p.Now
	}
	e := Event{Time: now().UTC(), Action: action, Alias: alias, Version: version, By: p.By, Git: p.GitCommit, Gate: "none"}
	if previous != nil && previous.Version != version {
		e.Previous = previous.Version
	}
	return e
}

// record notes an event on the version and in the history.
func (p *Promoter) record(ctx context.Context, name string, e Event, history []Event) error {
	tags := []Pair{
		{tagPromotedAt, e.Time.Format(time.RFC3339)}, {tagPromotedBy, e.By}, {tagReason, Shorten(e.Reason, 1000)},
	}
	if e.Action == ActionPromote { // a rollback leaves how it once got there
		tags = append(tags, Pair{tagGate, e.Gate}, Pair{tagGitCommit, e.Git})
	}
	for _, k := range sortedKeys(e.Metrics) {
		if CheckKey("", tagMetrics+k) == nil {
			tags = append(tags, Pair{tagMetrics + k, FormatFloat(e.Metrics[k])})
		}
	}
	if e.Alias == AliasProduction {
		for _, t := range tags {
			if t.Value == "" {
				continue
			}
			if err := p.Store.SetVersionTag(ctx, name, e.Version, t); err != nil {
				return err
			}
		}
	}
	last := ""
	if len(history) > 0 {
		last = history[len(history)-1].key
	}
	return appendEvent(ctx, p.Store, name, e, last)
}

// Rollback moves production back to the version that was in it before, and says
// what it did. After several promotions it can be repeated, to go back further.
func (p *Promoter) Rollback(ctx context.Context, name, reason string, dryRun bool) (Event, error) {
	op := "roll back model '" + name + "'"
	m, err := p.Store.Model(ctx, name)
	if err != nil {
		return Event{}, err
	}
	now, err := Production(ctx, p.Store, name)
	if err != nil {
		return Event{}, err
	}
	history := historyOf(m)
	to, err := p.before(ctx, op, now, productionStack(history))
	if err != nil {
		return Event{}, err
	}
	e := p.event(ActionRollback, AliasProduction, to.Version, &now)
	e.Reason = reason
	if have, err := p.measured(ctx, to); err == nil {
		e.Metrics = finite(have.Metrics)
	}
	if dryRun {
		return e, nil
	}
	if err := p.Store.Move(ctx, name, to.Version, AliasProduction, StageProduction); err != nil {
		return e, err
	}
	return e, p.record(ctx, name, e, history)
}

// before finds the version that was in production before now: by the history
// or, without one, the version that was archived last.
func (p *Promoter) before(ctx context.Context, op string, now Version, stack []int) (Version, error) {
	for i := len(stack) - 1; i > 0; i-- {
		if stack[i] != now.Version {
			continue
		}
		for j := i - 1; j >= 0; j-- {
			v, err := p.Store.Version(ctx, now.Name, stack[j])
			if err == nil && v.Version != now.Version {
				return v, nil
			}
			if err != nil && !errors.Is(err, ErrNotFound) { // deleted since
				return Version{}, err
			}
		}
	}
	if len(stack) == 0 || stack[len(stack)-1] != now.Version {
		list, err := p.Store.Versions(ctx, now.Name)
		if err != nil {
			return Version{}, err
		}
		sort.SliceStable(list, func(i, j int) bool { return list[i].Updated.After(list[j].Updated) })
		for _, v := range list {
			if v.Stage == StageArchived && v.Version != now.Version {
				return v, nil
			}
		}
	}
	return Version{}, &Error{Op: op, Err: fmt.Errorf("%w: nothing was in production before version %d", ErrNotFound, now.Version)}
}

// finite leaves out values that JSON cannot hold.
func finite(m map[string]float64) map[string]float64 {
	out := map[string]float64{}
	for k, v := range m {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[k] = v
		}
	}
	return out
}
