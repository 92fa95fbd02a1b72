package measure

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
)

// Case is one command to measure.
type Case struct {
	// Name is the tool's, for the table.
	Name string
	Args []string
	Dir  string
	Env  []string
	// Before, if set, runs untimed before each run.
	Before func() error
	// Server, if set, returns the processor time so far of a server that the
	// command uses.
	Server func() time.Duration
}

// Sample is one run of a command.
type Sample struct {
	Wall, CPU time.Duration
	// Server is what the server used meanwhile.
	Server time.Duration
	// RSS is the peak memory of the largest process, in bytes; 0 if unknown.
	RSS int64
}

// Row is what the table shows of a case: medians over its runs.
type Row struct {
	Name string
	Sample
	Runs int
	Err  error
}

// Compare runs the cases in turn, runs times each after warmup untimed rounds.
// Each round begins with another case, so that none always comes after the same.
// A case that fails is reported with its error and not run again.
func Compare(cases []Case, warmup, runs int) []Row {
	samples := make([][]Sample, len(cases))
	errs := make([]error, len(cases))
	for round := range warmup + runs {
		for k := range cases {
			i := (k + round) % len(cases)
			c := cases[i]
			if errs[i] != nil {
				continue
			}
			s, err := once(c)
			if err != nil {
				errs[i] = err
				continue
			}
			if round >= warmup {
				samples[i] = append(samples[i], s)
			}
		}
	}
	rows := make([]Row, len(cases))
	for i, c := range cases {
		rows[i] = Row{Name: c.Name, Runs: len(samples[i]), Err: errs[i]}
		if errs[i] == nil {
			rows[i].Sample = Sample{
				Wall:   median(samples[i], func(s Sample) time.Duration { return s.Wall }),
				CPU:    median(samples[i], func(s Sample) time.Duration { return s.CPU }),
				Server: median(samples[i], func(s Sample) time.Duration { return s.Server }),
				RSS:    int64(median(samples[i], func(s Sample) time.Duration { return time.Duration(s.RSS) })),
			}
		}
	}
	return rows
}

func median(list []Sample, of func(Sample) time.Duration) time.Duration {
	values := make([]time.Duration, len(list))
	for i, s := range list {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func once(c Case) (Sample, error) {
	if c.Before != nil {
		if err := c.Before(); err != nil {
			return Sample{}, fmt.Errorf("prepare %s: %w", c.Name, err)
		}
	}
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Dir = c.Dir
	cmd.Env = append(os.Environ(), c.Env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &out
	var before, server time.Duration
	if c.Server != nil {
		before = c.Server()
	}
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if c.Server != nil {
		server = c.Server() - before
	}
	if err != nil {
		return Sample{}, fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, tail(out.String()))
	}
	st := cmd.ProcessState
	return Sample{Wall: wall, CPU: st.UserTime() + st.SystemTime(), Server: server, RSS: peakMemory(st)}, nil
}

func tail(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		s = s[i+1:]
	}
	return s
}

// Print writes the rows as a table in Markdown. Ratios are to the first row.
func Print(w io.Writer, title string, rows []Row) {
	t := table.NewWriter()
	served := slices.ContainsFunc(rows, func(r Row) bool { return r.Server > 0 })
	row := func(name, wall, cpu, server, memory, ratio string, runs any) {
		if served {
			t.AppendRow(table.Row{name, wall, cpu, server, memory, ratio, runs})
		} else {
			t.AppendRow(table.Row{name, wall, cpu, memory, ratio, runs})
		}
	}
	if served {
		t.AppendHeader(table.Row{title, "wall", "CPU", "server's CPU", "peak memory", "wall, times " + rows[0].Name, "runs"})
	} else {
		t.AppendHeader(table.Row{title, "wall", "CPU", "peak memory", "wall, times " + rows[0].Name, "runs"})
	}
	for _, r := range rows {
		if r.Err != nil {
			row(r.Name, "failed", "", "", "", "", "")
			fmt.Fprintf(os.Stderr, "%s: %v\n", r.Name, r.Err)
			continue
		}
		ratio := "1"
		if r.Name != rows[0].Name && rows[0].Wall > 0 {
			ratio = fmt.Sprintf("%.2f", float64(r.Wall)/float64(rows[0].Wall))
		}
		row(r.Name, Duration(r.Wall), Duration(r.CPU), Duration(r.Server), Bytes(r.RSS), ratio, r.Runs)
	}
	fmt.Fprintf(w, "%s\n\n", t.RenderMarkdown())
}

// Duration writes a duration with three digits or so.
func Duration(d time.Duration) string {
	switch {
	case d >= 100*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	default:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
}

// Bytes writes a size in MiB.
func Bytes(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
}

// Machine describes where the figures come from.
func Machine() string {
	model := runtime.GOARCH
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for _, l := range strings.Split(string(data), "\n") {
			if name, ok := strings.CutPrefix(l, "model name"); ok {
				model = strings.TrimLeft(name, "\t :")
				break
			}
		}
	}
	return fmt.Sprintf("%s/%s, %d cores, %s, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), model, runtime.Version())
}

// Tool finds a peer: the value of the environment variable, or the program on
// the PATH. ok is false when it is not installed.
func Tool(env, name string) (path string, ok bool) {
	if p := os.Getenv(env); p != "" {
		return p, true
	}
	p, err := exec.LookPath(name)
	return p, err == nil
}
