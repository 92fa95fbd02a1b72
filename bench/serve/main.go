// Command serve measures flow serve under load beside a Flask app under Gunicorn
// that does the same: the same cleaning, the same model in scikit-learn, a page
// and metrics (app.py); and beside MLflow's scoring server for batches. One
// server at a time runs, and shares the machine with the load.
//
// FLOW_BENCH_FLOW is flow, FLOW_BENCH_PYTHON a Python with scikit-learn, NLTK,
// Flask, Gunicorn and MLflow; without it only flow is measured. The reviews are
// those of FLOW_BENCH_IMDB or ../shared/data/imdb, WordNet's files in -wordnet.
package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/flowrepro/flow/bench/measure"
	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/linear"
	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/stages/text"
)

var (
	during      = flag.Duration("for", 10*time.Second, "how long each load lasts")
	windows     = flag.Int("windows", 5, "loads at half of the rate, of which the median counts")
	connections = flag.Int("connections", 8, "connections of a load")
	wordnet     = flag.String("wordnet", "/usr/share/wordnet", "the directory of WordNet's files")
	batch       = flag.Int("batch", 100, "texts of a batch")
	served      = flag.String("model", "", "also serve the model in this `directory`, without a peer")
	control     = flag.String("control", "", "be the server that answers at once, at this `address`")
	flask       = flag.Bool("flask", true, "measure the Flask app")
	seed        = flag.Bool("predecessor", true, "measure the predecessor's app as it was written")
	pin         = flag.Bool("pin", true, "give servers a processor that the load leaves alone, where there are two")
	mlflow      = flag.Bool("mlflow", true, "measure MLflow's scoring server")
)

func main() {
	flag.Parse()
	if *control != "" {
		fmt.Fprintln(os.Stderr, answer(*control))
		os.Exit(1)
	}
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	flow, ok := measure.Tool("FLOW_BENCH_FLOW", "flow")
	if !ok {
		return fmt.Errorf("flow is not on the PATH (run bench/run)")
	}
	data := os.Getenv("FLOW_BENCH_IMDB")
	if data == "" {
		data = filepath.Join("..", "shared", "data", "imdb")
	}
	tmp, err := os.MkdirTemp("", "flow-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	if _, err := os.Stat(*wordnet); err != nil {
		*wordnet = ""
	}
	dir := filepath.Join(tmp, "model")
	if err := train(ctx, filepath.Join(data, "train.csv.gz"), dir); err != nil {
		return err
	}
	texts, _, err := reviews(filepath.Join(data, "dev.csv.gz"))
	if err != nil {
		return err
	}
	if *windows < 1 {
		return errors.New("want at least one window")
	}
	if len(texts) < 2000+*batch {
		return fmt.Errorf("%d reviews, want more", len(texts))
	}
	size := 0
	for _, t := range texts[:2000] {
		size += len(t)
	}
	place := "the load on the same processors"
	if *pin && apart() {
		place = "servers on one processor, the load on the others"
	}
	fmt.Printf("%s\n%d connections, %s each, reviews of %d bytes on average, %s\n", measure.Machine(), *connections, *during, size/2000, place)
	fmt.Printf("at half load: the load of the median p99 (least to most) of %d during which the machine's host kept less than\n1 %% of the processors from it, out of up to %d; requests over 5 ms in those; what the host kept on average\n\n", *windows, 4**windows)

	b := &bench{ctx: ctx, texts: texts, tmp: tmp}
	b.header()
	if err := b.flow("flow", flow, dir); err != nil {
		return err
	}
	if err := b.control(); err != nil {
		return err
	}
	if *served != "" {
		if err := b.flow("flow, "+filepath.Base(*served), flow, *served); err != nil {
			return err
		}
	}
	if python, ok := measure.Tool("FLOW_BENCH_PYTHON", "python3"); ok && os.Getenv("FLOW_BENCH_PYTHON") != "" {
		if *flask {
			if err := b.flask(python); err != nil {
				return err
			}
		}
		if *seed {
			if err := b.predecessor(python); err != nil {
				return err
			}
		}
		if *mlflow {
			if err := b.mlflow(python, dir); err != nil {
				return err
			}
		}
	} else {
		fmt.Fprintln(os.Stderr, "no peers: set FLOW_BENCH_PYTHON to a Python that has them")
	}
	b.table.Render()
	return nil
}

// bench measures one server after the other.
type bench struct {
	ctx   context.Context
	texts []string
	tmp   string
	table table.Writer

	pageRate, apiRate float64 // of flow at full load
}

func (b *bench) header() {
	b.table = table.NewWriter()
	b.table.SetOutputMirror(os.Stdout)
	b.table.SetStyle(table.StyleLight)
	b.table.AppendHeader(table.Row{"server", "request", "requests/s", "CPU a request", "p50", "p99", "then at", "CPU", "p50", "p99", "over 5 ms", "stolen", "failed", "memory"})
}

// leastStolen is what share of the processors the machine's host may keep from it
// for a load to count: what stands still then is not the server.
const leastStolen = 0.01

// measure runs a job at full load, and several times at half of that or at a rate
// if one is given: a single stall of a machine that is shared decides the p99 of
// one load. It returns the rate of the full load.
func (b *bench) measure(name, what string, p *process, j job, rate float64) float64 {
	j.address(p.addr)
	load(b.ctx, j, *connections, 0, time.Second, p.cpu) // warm
	full := load(b.ctx, j, *connections, 0, *during, p.cpu)
	if rate == 0 {
		rate = full.rate / 2
	}
	var half, all []result
	failed, kept := full.failed, 0.0
	for range 4 * *windows {
		before := stolen()
		h := load(b.ctx, j, *connections, rate, *during, p.cpu)
		share := float64(stolen()-before) / float64(*during) / float64(runtime.NumCPU())
		all, failed, kept = append(all, h), failed+h.failed, kept+share
		if share < leastStolen {
			half = append(half, h)
		}
		if len(half) == *windows {
			break
		}
	}
	tried, clean := len(all), len(half)
	if len(half) == 0 {
		half = all
	}
	var slow, requests int
	for _, h := range half {
		slow, requests = slow+h.slow, requests+h.requests
	}
	slices.SortFunc(half, func(a, b result) int { return cmp.Compare(a.p99, b.p99) })
	median := half[len(half)/2]
	b.table.AppendRow(table.Row{
		name, what, fmt.Sprintf("%.0f", full.rate), fmt.Sprintf("%d µs", full.cpu.Microseconds()), measure.Duration(full.p50), measure.Duration(full.p99),
		fmt.Sprintf("%.0f", median.rate), fmt.Sprintf("%d µs", median.cpu.Microseconds()), measure.Duration(median.p50),
		fmt.Sprintf("%s (%s to %s; %d of %d)", measure.Duration(median.p99), measure.Duration(half[0].p99), measure.Duration(half[len(half)-1].p99), clean, tried),
		fmt.Sprintf("%.2f%%", 100*float64(slow)/float64(max(requests, 1))), fmt.Sprintf("%.1f%%", 100*kept/float64(tried)), failed, measure.Bytes(p.memory()),
	})
	return full.rate
}

func (b *bench) form() job {
	j := job{path: "/predict", kind: "application/x-www-form-urlencoded"}
	for _, t := range b.texts[:2000] {
		j.bodies = append(j.bodies, []byte(url.Values{"text": {t}}.Encode()))
	}
	return j
}

func (b *bench) api() job {
	j := job{path: "/api/v1/predict", kind: "application/json"}
	for _, t := range b.texts[:2000] {
		data, _ := json.Marshal(map[string]string{"text": t})
		j.bodies = append(j.bodies, data)
	}
	return j
}

func (b *bench) invocations() job {
	j := job{path: "/invocations", kind: "application/json"}
	for i := range 20 {
		data, _ := json.Marshal(map[string]any{"inputs": b.texts[i*50 : i*50+*batch]})
		j.bodies = append(j.bodies, data)
	}
	return j
}

func (b *bench) batchName() string { return fmt.Sprintf("/invocations of %d", *batch) }

func (b *bench) flow(name, flow, dir string) error {
	p, err := startServer(b.ctx, "/readyz", nil, flow, "serve", "--model", dir, "--address", "127.0.0.1:PORT", "--log", "json")
	if err != nil {
		return err
	}
	defer p.stop()
	b.pageRate = b.measure(name, "/predict, the page", p, b.form(), 0)
	b.apiRate = b.measure(name, "/api/v1/predict", p, b.api(), 0)
	b.measure(name, b.batchName(), p, b.invocations(), 0)
	return nil
}

// control measures what the machine, the load and Go's server take themselves:
// this program as a server that reads the same requests and answers at once, at
// the rates of half of flow's load.
func (b *bench) control() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p, err := startServer(b.ctx, "/", nil, self, "-control", "127.0.0.1:PORT")
	if err != nil {
		return err
	}
	defer p.stop()
	b.measure("net/http alone", "the page's, 18 kB back", p, b.form(), b.pageRate/2)
	b.measure("net/http alone", "the API's, 400 B back", p, b.api(), b.apiRate/2)
	return nil
}

// answer is the control. Answers are as long as flow's.
func answer(address string) error {
	page, short := bytes.Repeat([]byte{'x'}, 18_000), bytes.Repeat([]byte{'x'}, 400)
	server := http.Server{Addr: address, ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		body := short
		if r.URL.Path == "/predict" {
			body = page
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	})}
	return server.ListenAndServe()
}

func (b *bench) flask(python string) error {
	stop, err := filepath.Abs(filepath.Join("stages", "text", "lists", "nltk.txt"))
	if err != nil {
		return err
	}
	env := []string{"MODEL=" + filepath.Join(b.tmp, "model.json"), "STOP_WORDS=" + stop, "WORDNET=" + *wordnet}
	p, err := startServer(b.ctx, "/", env, python, "-m", "gunicorn", "--chdir", filepath.Join("bench", "serve"), "-w", "1", "-b", "127.0.0.1:PORT", "app:app")
	if err != nil {
		return err
	}
	defer p.stop()
	b.measure("Flask, Gunicorn", "/predict, the page", p, b.form(), 0)
	return nil
}

// predecessor measures the app that flow succeeds as it was written: app_seed.py
// says in what it differs from app.py.
func (b *bench) predecessor(python string) error {
	stop, err := filepath.Abs(filepath.Join("stages", "text", "lists", "nltk.txt"))
	if err != nil {
		return err
	}
	for _, columns := range []string{"", "50"} {
		env := []string{"MODEL=" + filepath.Join(b.tmp, "model.json"), "STOP_WORDS=" + stop, "WORDNET=" + *wordnet, "COLUMNS_KEPT=" + columns, "MODEL_DIR=" + filepath.Join(b.tmp, "seed"+columns)}
		p, err := startServer(b.ctx, "/", env, python, "-m", "gunicorn", "--chdir", filepath.Join("bench", "serve"), "-w", "1", "--timeout", "300", "-b", "127.0.0.1:PORT", "app_seed:app")
		if err != nil {
			return err
		}
		name := "predecessor as written"
		if columns != "" {
			name += ", " + columns + " words"
		}
		b.measure(name, "/predict, the page", p, b.form(), 0)
		p.stop()
	}
	return nil
}

func (b *bench) mlflow(python, dir string) error {
	// MLflow starts its server by names that it looks for on the path.
	env := []string{"PATH=" + filepath.Dir(python) + string(os.PathListSeparator) + os.Getenv("PATH")}
	p, err := startServer(b.ctx, "/ping", env, python, "-m", "mlflow", "models", "serve", "-m", dir, "-p", "PORT", "-h", "127.0.0.1", "--env-manager", "local")
	if err != nil {
		return err
	}
	defer p.stop()
	b.measure("MLflow", b.batchName(), p, b.invocations(), 0)
	return nil
}

// train makes the model that all serve, once as flow's directory and once as
// what app.py reads.
func train(ctx context.Context, file, dir string) error {
	texts, labels, err := reviews(file)
	if err != nil {
		return err
	}
	cleaning := text.Default()
	cleaning.Lemmas = *wordnet != ""
	cleaner, err := text.New(cleaning)
	if err != nil {
		return err
	}
	if texts, err = cleaner.All(ctx, texts, 0, nil); err != nil {
		return err
	}
	c := features.DefaultConfig()
	c.Lowercase, c.MaxFeatures = false, 20_000
	union, x, err := features.FitUnion(ctx, features.UnionConfig{{Name: "terms", Config: c}}, texts, 0, nil)
	if err != nil {
		return err
	}
	o := linear.DefaultOptions()
	o.MaxIter = 10
	r, err := linear.Fit(ctx, x, labels, o)
	if err != nil {
		return err
	}
	parts := model.Parts{
		Features: model.Features{Cleaning: cleaning, Union: union},
		Classes:  [2]string{"negative", "positive"}, Coef: r.Coef, Intercept: r.Intercept, Example: "A wonderful, moving film.",
	}
	if _, err := model.Write(ctx, dir, parts); err != nil {
		return err
	}
	export := struct {
		Vocabulary []string  `json:"vocabulary"`
		Coef       []float64 `json:"coef"`
		Intercept  float64   `json:"intercept"`
	}{Coef: r.Coef, Intercept: r.Intercept}
	for i := range r.Coef {
		_, term := union.Feature(int32(i))
		export.Vocabulary = append(export.Vocabulary, term)
	}
	data, err := json.Marshal(export)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(filepath.Dir(dir), "model.json"), data, 0o600)
}

func reviews(path string) (texts []string, labels []int, err error) {
	f, err := os.Open(path) //nolint:gosec // the data the user has
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, nil, err
	}
	records, err := csv.NewReader(z).ReadAll()
	if err != nil {
		return nil, nil, err
	}
	for _, r := range records[1:] {
		label := 0
		if r[1] == "positive" {
			label = 1
		}
		texts, labels = append(texts, r[0]), append(labels, label)
	}
	return texts, labels, nil
}
