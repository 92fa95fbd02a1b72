package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// With more, probabilities of different versions would be too near 0 or 1 to tell
// them apart.
const mostVersions, mostGoods = 10, 4

// weight is what a version's model gives each "good" of a text, and "bad" the
// negative. No two versions have the same, and neighbours differ in the label.
func weight(version int) float64 {
	w := 0.25 + 0.25*float64(version)
	if version%2 == 0 {
		return -w
	}
	return w
}

// answer is what the server told of a text.
type answer struct {
	Label       int     `json:"label"`
	Class       string  `json:"class"`
	Probability float64 `json:"probability"`
	Model       struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"model"`
}

// pair tells whether the answer is that of a version to a text with so many
// "good", computed without any of flow's code.
func pair(a *answer, version, goods int) error {
	odds := float64(goods) * weight(version)
	label, class, probability := 0, "negative", 1/(1+math.Exp(-odds))
	if odds > 0 {
		label, class = 1, "positive"
	}
	// Written so that a probability that is not a number is wrong.
	if a.Label != label || a.Class != class || !(math.Abs(a.Probability-probability) < 1e-9) {
		return fmt.Errorf("version %d answered %d, %s, %v to %d times good; want %d, %s, %v", version, a.Label, a.Class, a.Probability, goods, label, class, probability)
	}
	return nil
}

// promotion is a version that was put into production.
type promotion struct {
	version int
	begun   time.Time
	after   time.Duration // from begun to the first answer
	seen    bool
}

// checker judges answers. It is for many goroutines.
type checker struct {
	mu         sync.Mutex
	promotions []promotion // the first is what the server started with
	seen       int         // the last promotion that an answer was of

	requests, failed, wrong int64
	faults                  []error // the first ones
}

// newChecker starts with the version that is in production.
func newChecker(version int) *checker {
	return &checker{promotions: []promotion{{version: version, seen: true}}}
}

// promote tells of a version before it is promoted.
func (c *checker) promote(version int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.promotions = append(c.promotions, promotion{version: version, begun: time.Now()})
}

// sent is what was known when a request was sent.
type sent struct{ seen, last int }

func (c *checker) send() sent {
	c.mu.Lock()
	defer c.mu.Unlock()
	return sent{c.seen, len(c.promotions) - 1}
}

func (c *checker) fault(err error) {
	if len(c.faults) < 5 {
		c.faults = append(c.faults, err)
	}
}

// fail counts a request without an answer.
func (c *checker) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	c.failed++
	c.fault(err)
}

// answered judges an answer: it must be right for the version that it names, and
// the version must have been in production while the request was on its way. One
// that is older than an answer that was there before the request is wrong too.
func (c *checker) answered(s sent, a *answer, goods int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	last := len(c.promotions) - 1
	at := slices.IndexFunc(c.promotions[s.seen:], func(p promotion) bool { return fmt.Sprint(p.version) == a.Model.Version })
	if at < 0 || a.Model.Name != modelName {
		c.wrong++
		c.fault(fmt.Errorf("an answer of %s version %q, which was not in production", a.Model.Name, a.Model.Version))
		return
	}
	if err := pair(a, c.promotions[s.seen+at].version, goods); err != nil {
		c.wrong++
		c.fault(err)
		return
	}
	// Only a request that was sent after the promotion began shows it: another
	// may have met the same version when it was in production before.
	if p := &c.promotions[last]; s.last == last && !p.seen && fmt.Sprint(p.version) == a.Model.Version {
		p.seen, p.after = true, time.Since(p.begun)
		c.seen = last
	}
}

// sample is the state of the server at a time.
type sample struct {
	at         time.Duration // since the start of the load
	memory     int64         // resident bytes
	goroutines int64
}

// trend compares the second tenth of a run, when all is warm, with the last.
type trend struct{ first, last, most int64 }

func trendOf(samples []sample, during time.Duration, of func(sample) int64) (t trend, err error) {
	var early, late []int64
	for _, s := range samples {
		t.most = max(t.most, of(s))
		switch s.at * 10 / during {
		case 1:
			early = append(early, of(s))
		case 9:
			late = append(late, of(s))
		}
	}
	if len(early) == 0 || len(late) == 0 {
		return t, errors.New("the server was not measured at the start or at the end")
	}
	slices.Sort(early)
	slices.Sort(late)
	t.first, t.last = early[len(early)/2], late[len(late)/2]
	if t.first <= 0 || t.last <= 0 {
		return t, errors.New("the server tells nothing of its memory or goroutines")
	}
	return t, nil
}

// grew tells whether the last is above the first by more than a share and a rest.
func (t trend) grew(share float64, rest int64) bool {
	return float64(t.last) > float64(t.first)*(1+share)+float64(rest)
}

// Allowances: the collector's pace makes the memory go up and down; a few
// goroutines belong to what happens at the time.
const (
	memoryShare, memoryRest       = 0.25, 16 << 20
	goroutineShare, goroutineRest = 0.1, 8
)

// seenCount returns how many promotions answers have shown, of how many, and the
// longest time until they did.
func (c *checker) seenCount() (seen, all int, longest time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.promotions[1:] {
		if p.seen {
			seen++
			longest = max(longest, p.after)
		}
	}
	return seen, len(c.promotions) - 1, longest
}

// verdict returns all that is wrong with a run.
func (c *checker) verdict(memory, goroutines trend) error {
	var list []string
	if c.requests == 0 {
		list = append(list, "no requests")
	}
	if c.failed > 0 {
		list = append(list, fmt.Sprintf("%d requests failed", c.failed))
	}
	if c.wrong > 0 {
		list = append(list, fmt.Sprintf("%d answers are wrong for their version", c.wrong))
	}
	if seen, all, _ := c.seenCount(); all == 0 || seen < all {
		list = append(list, fmt.Sprintf("%d of %d promotions were seen", seen, all))
	}
	if memory.grew(memoryShare, memoryRest) {
		list = append(list, fmt.Sprintf("memory grew from %d to %d bytes", memory.first, memory.last))
	}
	if goroutines.grew(goroutineShare, goroutineRest) {
		list = append(list, fmt.Sprintf("goroutines grew from %d to %d", goroutines.first, goroutines.last))
	}
	if len(list) == 0 {
		return nil
	}
	return errors.Join(append([]error{errors.New(strings.Join(list, "; "))}, c.faults...)...)
}
