// Command soak keeps flow serve under full load while the model in production
// changes all the time, and fails unless every request was answered, every answer
// is that of the version it names, every promotion was followed, and neither
// memory nor goroutines grew.
//
// FLOW_BENCH_FLOW is flow; without it, it is built.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/flowrepro/flow/bench/measure"
)

var (
	duration = flag.Duration("duration", 10*time.Minute, "how long the load lasts")
	clients  = flag.Int("clients", 8, "connections that ask")
	every    = flag.Duration("every", 5*time.Second, "time between promotions")
	poll     = flag.Duration("poll", 200*time.Millisecond, "how often the server looks for another version")
	versions = flag.Int("versions", 3, "versions of the model, 2 to 10")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	if *versions < 2 || *versions > mostVersions || *clients < 1 || *poll <= 0 || *every < 2**poll || *duration < 2**every {
		return fmt.Errorf("want 2 to %d -versions, at least 1 of -clients, a -poll above 0, -every of 2 polls and a -duration of 2 times -every", mostVersions)
	}
	tmp, err := os.MkdirTemp("", "flow-soak-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	p := &project{flow: os.Getenv("FLOW_BENCH_FLOW"), dir: filepath.Join(tmp, "project"), home: filepath.Join(tmp, "home")}
	if p.flow == "" {
		p.flow = filepath.Join(tmp, "flow.exe")
		if out, err := exec.Command("go", "build", "-trimpath", "-o", p.flow, "./cmd/flow").CombinedOutput(); err != nil {
			return fmt.Errorf("build flow: %w\n%s", err, out)
		}
	}
	if p.flow, err = filepath.Abs(p.flow); err != nil {
		return err
	}
	if err := p.register(ctx, *versions); err != nil {
		return err
	}
	s, err := p.serve(*poll)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%d connections for %s, another of %d versions every %s, the load on the same machine\n\n", measure.Machine(), *clients, *duration, *versions, *every)
	err = soak(ctx, p, s)
	if stopped := s.stop(); stopped != nil {
		err = errors.Join(err, stopped)
	}
	if err != nil {
		err = errors.Join(err, s.tail())
	}
	return err
}

func soak(ctx context.Context, p *project, s *server) error {
	loading, cancel := context.WithTimeout(ctx, *duration)
	defer cancel()
	c, l := newChecker(1), &latencies{}
	var (
		wg                   sync.WaitGroup
		samples              []sample
		promoted, unmeasured error
		start                = time.Now()
	)
	wg.Go(func() {
		if samples, unmeasured = watch(loading, s, start); unmeasured != nil {
			cancel() // it is gone
		}
	})
	wg.Go(func() {
		if promoted = follow(loading, p, c, start); promoted != nil {
			cancel()
		}
	})
	connections := load(loading, s.url+"/api/v1/predict", *clients, c, l)
	took := time.Since(start)
	wg.Wait()
	if err := errors.Join(promoted, ctx.Err(), unmeasured); err != nil {
		return errors.Join(append([]error{err}, c.faults...)...)
	}
	memory, err := trendOf(samples, *duration, func(s sample) int64 { return s.memory })
	goroutines, err2 := trendOf(samples, *duration, func(s sample) int64 { return s.goroutines })
	seen, all, longest := c.seenCount()
	t := table.NewWriter()
	t.SetOutputMirror(os.Stdout)
	t.SetStyle(table.StyleLight)
	t.AppendRows([]table.Row{
		{"requests", c.requests},
		{"requests/s", fmt.Sprintf("%.0f", float64(c.requests)/took.Seconds())},
		{"connections opened", connections},
		{"promotions seen", fmt.Sprintf("%d of %d", seen, all)},
		{"longest until seen", measure.Duration(longest)},
		{"failures", c.failed},
		{"wrong pairs", c.wrong},
		{"p50", measure.Duration(l.quantile(0.5))},
		{"p99", measure.Duration(l.quantile(0.99))},
		{"memory first, last, most", fmt.Sprintf("%s, %s, %s", measure.Bytes(memory.first), measure.Bytes(memory.last), measure.Bytes(memory.most))},
		{"goroutines first, last, most", fmt.Sprintf("%d, %d, %d", goroutines.first, goroutines.last, goroutines.most)},
	})
	t.Render()
	return errors.Join(c.verdict(memory, goroutines), err, err2)
}

// watch measures the server some hundred times, or each second if that is more
// often, until the load ends.
func watch(ctx context.Context, s *server, start time.Time) (list []sample, err error) {
	t := time.NewTicker(min(time.Second, *duration/100))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return list, nil
		case <-t.C:
		}
		at := time.Since(start)
		m, err := s.measure(ctx)
		if ctx.Err() != nil {
			return list, nil //nolint:nilerr // the load ended meanwhile
		}
		if err != nil {
			return list, err
		}
		m.at = at
		list = append(list, m)
	}
}

// follow promotes one version after the other. The last has as long to be seen
// as the others.
func follow(ctx context.Context, p *project, c *checker, start time.Time) error {
	t := time.NewTicker(*every)
	defer t.Stop()
	for version := 1; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if time.Since(start) > *duration-*every+*every/10 {
			return nil
		}
		version = version%*versions + 1
		c.promote(version)
		if err := p.promote(version); err != nil {
			return err
		}
	}
}
