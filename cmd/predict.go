package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/flowrepro/flow/stages/model"
	"github.com/flowrepro/flow/track"
)

type predictFlags struct {
	column, format string
	texts          []string
	json, explain  bool
	limit, jobs    int
}

func (a *app) predictCommand() *cobra.Command {
	var f predictFlags
	c := &cobra.Command{
		Use:   "predict model [file|-]",
		Short: "Score texts with a trained model",
		Long: `Print the label and its probability for each text, in the order of the input.

The model is the directory that training wrote, or an address in the registry such
as models:/sentiment@production. Texts come from a file, from
standard input (-, or no file), or from --text. A file ending in .csv or .tsv has
its texts in the column "review" or "text", or in its only one, or in that which
--column names; one ending in .jsonl or .ndjson has an object a line with such a
key; any other is one text a line, and an empty line is an empty text. All may be
compressed with gzip. Standard input is taken for what its first line looks like,
unless --format says what it is.

With --json each text gives one line: an object with the label and the
probabilities of both. With --explain it also has the terms that decided; their
weights and the intercept add up to the log-odds.`,
		Example: `  flow predict models/sentiment --text "A wonderful, moving film."
  flow predict models/sentiment reviews.csv.gz --json > labels.jsonl
  echo "It never gets going." | flow predict models/sentiment --explain`,
		Args: cobra.RangeArgs(1, 2),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.predict(c.Context(), &f, args, c.Flags().Changed("text"))
	}
	fl := c.Flags()
	fl.StringArrayVar(&f.texts, "text", nil, "score this `text`; may be given more than once")
	fl.StringVar(&f.column, "column", "", "the column or key that has the texts")
	fl.StringVar(&f.format, "format", "", "text, csv, tsv or jsonl, whatever the file's name is")
	fl.BoolVar(&f.json, "json", false, "print an object a line")
	fl.BoolVar(&f.explain, "explain", false, "show the words that decided")
	fl.IntVar(&f.limit, "limit", 10, "with --explain, how many terms to show; 0 for all")
	fl.IntVarP(&f.jobs, "jobs", "j", 0, "texts to score at the same time; 0 for one a processor")
	return c
}

func (a *app) predict(ctx context.Context, f *predictFlags, args []string, given bool) error {
	var source string
	if len(args) == 2 {
		source = args[1]
	}
	switch {
	case given && source != "":
		return &exitError{exitUsage, fmt.Errorf("--text and a file exclude each other")}
	case f.limit < 0:
		return &exitError{exitUsage, fmt.Errorf("--limit: want 0 or more")}
	case !validFormat(f.format):
		return &exitError{exitUsage, fmt.Errorf("--format %q: want text, csv, tsv or jsonl", f.format)}
	}
	m, err := a.openModel(ctx, args[0], given)
	if err != nil {
		return &exitError{exitFailed, err}
	}
	out := bufio.NewWriterSize(a.stdout, 1<<16)
	width, isTerminal := terminal(a.stdout)
	p := &printer{flags: f, model: m, width: width, terminal: isTerminal, single: len(f.texts) == 1}
	if given {
		for _, text := range f.texts {
			if err := p.write(out, p.score(text)); err != nil {
				return err
			}
		}
		return out.Flush()
	}
	in := a.stdin
	if source != "" && source != "-" {
		file, err := os.Open(source) //nolint:gosec // the user names the file
		if err != nil {
			return &exitError{exitFailed, err}
		}
		defer file.Close()
		in = file
	}
	texts, err := openTexts(in, source, f.format, f.column)
	if err != nil {
		return &exitError{exitFailed, err}
	}
	err = p.stream(ctx, texts, out)
	// What was scored before a fault is printed.
	if flush := out.Flush(); flush != nil {
		return flush
	}
	if err != nil && ctx.Err() == nil {
		return &exitError{exitFailed, err}
	}
	return err
}

// openModel opens the model that an argument names: a directory, or an address
// in the registry or in object storage. Briefly says that it is used once.
func (a *app) openModel(ctx context.Context, name string, briefly bool) (m *model.Model, err error) {
	if u, uriErr := track.ParseModelURI(name); uriErr == nil && !u.Local() {
		s := a.sources("")
		defer func() { err = errors.Join(err, s.close()) }()
		r, err := s.resolver(u)
		if err != nil {
			return nil, err
		}
		if name, _, err = r.Load(ctx, name); err != nil {
			return nil, err
		}
	}
	if briefly {
		return model.OpenMapped(name)
	}
	return model.Open(name)
}

const (
	// A block of texts is scored by one goroutine.
	blockTexts = 128
	blockBytes = 1 << 20
)

// scored is a block of texts on its way to the output.
type scored struct {
	texts []string
	out   []result
	done  chan struct{}
}

// stream scores texts and writes the results in their order. Only a few blocks
// are in memory at any time.
func (p *printer) stream(ctx context.Context, texts *textReader, out *bufio.Writer) error {
	jobs := p.flags.jobs
	if jobs < 1 {
		jobs = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work, order := make(chan *scored, jobs), make(chan *scored, 2*jobs)
	for range jobs {
		go func() {
			for b := range work {
				b.out = make([]result, len(b.texts))
				for i, t := range b.texts {
					b.out[i] = p.score(t)
				}
				close(b.done)
			}
		}()
	}
	var fault error
	go func() {
		defer close(order)
		defer close(work)
		for fault == nil {
			b := &scored{done: make(chan struct{})}
			b.texts, fault = texts.next(blockTexts, blockBytes)
			if len(b.texts) == 0 {
				continue
			}
			for _, to := range []chan *scored{work, order} {
				select {
				case to <- b:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	for b := range order {
		select {
		case <-b.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		for i := range b.out {
			if err := p.write(out, b.out[i]); err != nil {
				return err
			}
		}
		// A reader that is slower than its input sees results as they come.
		if len(work) == 0 && len(order) == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if fault == io.EOF { //nolint:errorlint // next returns it bare
		return nil
	}
	return fault
}
