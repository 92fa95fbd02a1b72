package track

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"
)

// historyPrefix begins the keys of the tags of a registered model that hold its
// history, one event a tag: a single tag would be full after some dozens, and
// two writers would lose each other's events.
const historyPrefix = "flow.history."

// The tags that a promotion leaves on a version.
const (
	tagPromotedAt = "flow.promoted_at"
	tagPromotedBy = "flow.promoted_by"
	tagGitCommit  = "flow.git_commit"
	tagGate       = "flow.gate"
	tagReason     = "flow.reason"
	tagMetrics    = "flow.metrics."
)

// The actions of the history.
const (
	ActionPromote  = "promote"
	ActionRollback = "rollback"
	ActionAlias    = "alias"
)

// Event is an entry of a registered model's history.
type Event struct {
	Time time.Time `json:"time"`
	// Action is promote, rollback, or alias for another alias than production.
	Action string `json:"action"`
	// Alias is the one that was moved, Version where to and Previous where from;
	// 0 is nowhere.
	Alias    string `json:"alias"`
	Version  int    `json:"version"`
	Previous int    `json:"previous,omitempty"`
	By       string `json:"by,omitempty"`
	Git      string `json:"git_commit,omitempty"`
	Reason   string `json:"reason,omitempty"`
	// Gate is passed, forced or none.
	Gate    string             `json:"gate"`
	Checks  []Check            `json:"checks,omitempty"`
	Metrics map[string]float64 `json:"metrics,omitempty"`

	key string
}

// History returns what happened to a registered model, the oldest first. Events
// that cannot be read are left out.
func History(ctx context.Context, s Registry, name string) ([]Event, error) {
	m, err := s.Model(ctx, name)
	if err != nil {
		return nil, err
	}
	return historyOf(m), nil
}

func historyOf(m Model) []Event {
	var list []Event
	for key, value := range m.Tags {
		var e Event
		if strings.HasPrefix(key, historyPrefix) && json.Unmarshal([]byte(value), &e) == nil && e.Version > 0 {
			e.key = key
			list = append(list, e)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].key < list[j].key })
	return list
}

// appendEvent adds an event. Its key begins with the time, and comes after those
// of all events before, even if a clock went back.
func appendEvent(ctx context.Context, s Registry, name string, e Event, last string) error {
	const layout = "20060102T150405.000000000Z"
	stamp := e.Time.UTC().Format(layout)
	if last = strings.TrimPrefix(last, historyPrefix); len(last) >= len(layout) && last[:len(layout)] >= stamp {
		if t, err := time.Parse(layout, last[:len(layout)]); err == nil {
			stamp = t.Add(time.Nanosecond).Format(layout)
		}
	}
	key := historyPrefix + stamp + "-" + strings.ToLower(rand.Text()[:6])
	e.Reason = Shorten(e.Reason, 1000)
	data, err := json.Marshal(e)
	if err == nil && len(data) > MaxRegistryTag {
		e.Checks = nil
		data, err = json.Marshal(e)
	}
	if err == nil && len(data) > MaxRegistryTag {
		e.Metrics = nil
		data, err = json.Marshal(e)
	}
	if err != nil {
		return fmt.Errorf("record the history of model '%s': %w", name, err)
	}
	return s.SetModelTag(ctx, name, Pair{key, string(data)})
}

// productionStack replays the history of production: the version in it now is the
// last one, those before it are what rollbacks go back to.
func productionStack(list []Event) []int {
	var stack []int
	for _, e := range list {
		if e.Alias != AliasProduction {
			continue
		}
		switch e.Action {
		case ActionPromote:
			if n := len(stack); e.Previous > 0 && (n == 0 || stack[n-1] != e.Previous) {
				stack = append(stack, e.Previous) // moved by somebody else in between
			}
			if n := len(stack); n == 0 || stack[n-1] != e.Version {
				stack = append(stack, e.Version)
			}
		case ActionRollback:
			for len(stack) > 0 && stack[len(stack)-1] != e.Version {
				stack = stack[:len(stack)-1]
			}
			if len(stack) == 0 {
				stack = append(stack, e.Version)
			}
		}
	}
	return stack
}
