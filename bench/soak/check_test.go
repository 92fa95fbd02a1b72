package main

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

// of is what the server of a version answers.
func of(version, goods int) *answer {
	odds := float64(goods) * weight(version)
	a := &answer{Class: "negative", Probability: 1 / (1 + math.Exp(-odds))}
	if odds > 0 {
		a.Label, a.Class = 1, "positive"
	}
	a.Model.Name, a.Model.Version = modelName, strconv.Itoa(version)
	return a
}

func TestVersionsDiffer(t *testing.T) {
	for v := 1; v <= mostVersions; v++ {
		for other := 1; other <= mostVersions; other++ {
			for goods := 1; goods <= mostGoods; goods++ {
				if err := pair(of(other, goods), v, goods); (err == nil) != (v == other) {
					t.Errorf("version %d for %d with %d: %v", other, v, goods, err)
				}
			}
		}
	}
}

func TestCheckerWrongPairs(t *testing.T) {
	cases := map[string]func(*answer){
		"label":       func(a *answer) { a.Label = 0 },
		"class":       func(a *answer) { a.Class = "negative" },
		"probability": func(a *answer) { a.Probability += 1e-3 },
		"no number":   func(a *answer) { a.Probability = math.NaN() },
		"version":     func(a *answer) { a.Model.Version = "2" },
		"unknown":     func(a *answer) { a.Model.Version = "7" },
		"name":        func(a *answer) { a.Model.Name = "other" },
		"right":       func(*answer) {},
	}
	for name, change := range cases {
		c := newChecker(1)
		c.promote(2)
		a := of(1, 3)
		change(a)
		c.answered(c.send(), a, 3)
		if want := int64(1); (c.wrong == want) == (name == "right") || c.requests != 1 {
			t.Errorf("%s: %d wrong of %d", name, c.wrong, c.requests)
		}
	}
}

// A version that was replaced may answer what was sent before, not after.
func TestCheckerOrder(t *testing.T) {
	c := newChecker(1)
	c.promote(2)
	early := c.send()
	c.answered(c.send(), of(2, 1), 1)
	if seen, all, _ := c.seenCount(); seen != 1 || all != 1 {
		t.Fatalf("%d of %d seen", seen, all)
	}
	c.answered(early, of(1, 1), 1)
	if c.wrong != 0 {
		t.Fatalf("an answer on its way is wrong: %v", c.faults)
	}
	c.answered(c.send(), of(1, 1), 1)
	if c.wrong != 1 {
		t.Fatal("a stale answer is right")
	}
	// An answer to what was sent before version 1 was promoted again does not
	// show the promotion.
	c.promote(1)
	c.answered(early, of(1, 1), 1)
	if seen, all, _ := c.seenCount(); seen != 1 || all != 2 {
		t.Fatalf("%d of %d seen", seen, all)
	}
}

func TestVerdict(t *testing.T) {
	flat := trend{100 << 20, 100 << 20, 100 << 20}
	calm := trend{20, 22, 40}
	good := func() *checker {
		c := newChecker(1)
		c.promote(2)
		c.answered(c.send(), of(2, 1), 1)
		return c
	}
	if err := good().verdict(flat, calm); err != nil {
		t.Errorf("a good run: %v", err)
	}
	failed, wrong, unseen := good(), good(), good()
	failed.fail(strconv.ErrRange)
	wrong.answered(wrong.send(), of(1, 1), 1)
	unseen.promote(1)
	cases := []struct {
		want               string
		c                  *checker
		memory, goroutines trend
	}{
		{"1 requests failed", failed, flat, calm},
		{"1 answers are wrong", wrong, flat, calm},
		{"1 of 2 promotions", unseen, flat, calm},
		{"0 of 0 promotions", newChecker(1), flat, calm},
		{"no requests", newChecker(1), flat, calm},
		{"memory grew", good(), trend{100 << 20, 142 << 20, 142 << 20}, calm},
		{"goroutines grew", good(), flat, trend{20, 31, 31}},
	}
	for _, c := range cases {
		if err := c.c.verdict(c.memory, c.goroutines); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %s: %v", c.want, err)
		}
	}
}

func TestTrend(t *testing.T) {
	var list []sample
	for i := range 100 {
		list = append(list, sample{at: time.Duration(i) * time.Second, memory: int64(1000 + i)})
	}
	memory := func(s sample) int64 { return s.memory }
	got, err := trendOf(list, 100*time.Second, memory)
	if want := (trend{1015, 1095, 1099}); err != nil || got != want {
		t.Errorf("%v, %v", got, err)
	}
	for name, part := range map[string][]sample{"no end": list[:80], "no start": list[30:], "nothing": nil} {
		if _, err := trendOf(part, 100*time.Second, memory); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := trendOf(list, 100*time.Second, func(sample) int64 { return 0 }); err == nil {
		t.Error("no figures: no error")
	}
}

func TestLatencies(t *testing.T) {
	var l latencies
	if l.quantile(0.5) != 0 {
		t.Error("a quantile of nothing")
	}
	for i := 1; i <= 1000; i++ {
		l.add(time.Duration(i) * time.Millisecond)
	}
	l.add(0)
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond} {
		if got := l.quantile(q); got < want*96/100 || got > want*104/100 {
			t.Errorf("%v: %s, want %s", q, got, want)
		}
	}
}
