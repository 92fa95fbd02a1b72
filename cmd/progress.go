package cmd

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flowrepro/flow/remote"
)

// transferProgress shows how far a transfer is: redrawn in place on a terminal,
// else a line now and then.
type transferProgress struct {
	w        io.Writer
	width    int // 0 off a terminal
	title    string
	began    time.Time
	checked  atomic.Int64
	objects  atomic.Int64
	bytes    atomic.Int64
	all      atomic.Int64
	allBytes atomic.Int64

	stop chan struct{}
	done sync.WaitGroup
	// recent are samples for the rate, the oldest first.
	recent []sample
}

type sample struct {
	at    time.Time
	bytes int64
	count int64
}

const (
	// drawEvery is how often a terminal's line is redrawn, lineEvery how often
	// there is a line elsewhere.
	drawEvery = 150 * time.Millisecond
	lineEvery = 10 * time.Second
	// rateOver is the time over which the rate is taken.
	rateOver = 5 * time.Second
)

// progress begins to show a transfer on standard error.
func (a *app) progress(title, _ string) *transferProgress {
	p := &transferProgress{w: a.stderr, title: title, began: time.Now(), stop: make(chan struct{})}
	if a.quiet {
		return p
	}
	every := lineEvery
	if width, ok := terminal(a.stderr); ok {
		p.width, every = width, drawEvery
	}
	p.done.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-p.stop:
				return
			case now := <-tick.C:
				p.draw(now)
			}
		}
	})
	return p
}

// add takes in what a transfer tells.
func (p *transferProgress) add(d remote.Progress) {
	p.checked.Add(d.Checked)
	p.objects.Add(d.Objects)
	p.bytes.Add(d.Bytes)
	p.all.Add(d.MoreObjects)
	p.allBytes.Add(d.MoreBytes)
}

// close ends the display and takes it off a terminal.
func (p *transferProgress) close() {
	close(p.stop)
	p.done.Wait()
	if p.width > 0 {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

func (p *transferProgress) draw(now time.Time) {
	line := p.line(now)
	if p.width == 0 {
		fmt.Fprintln(p.w, line)
		return
	}
	fmt.Fprintf(p.w, "\r%s\x1b[K", clip(line, p.width-1))
}

// line is such as "Pushing 120/4000 objects, 3.1/80.0 MB, 12.3 MB/s, 7s left".
func (p *transferProgress) line(now time.Time) string {
	objects, all := p.objects.Load(), p.all.Load()
	bytes, allBytes := p.bytes.Load(), p.allBytes.Load()
	if all == 0 {
		return fmt.Sprintf("%s: %d objects checked", p.title, p.checked.Load())
	}
	text := fmt.Sprintf("%s: %d/%d objects, %s", p.title, objects, all, byteCount(bytes))
	if allBytes > 0 {
		text += " of " + byteCount(allBytes)
	}
	p.recent = append(p.recent, sample{now, bytes, objects})
	for len(p.recent) > 2 && now.Sub(p.recent[0].at) > rateOver {
		p.recent = p.recent[1:]
	}
	first := p.recent[0]
	took := now.Sub(first.at).Seconds()
	if took <= 0 {
		first, took = sample{p.began, 0, 0}, now.Sub(p.began).Seconds()
	}
	rate := float64(bytes-first.bytes) / took
	text += fmt.Sprintf(", %s/s", byteCount(int64(rate)))
	// What is left is measured in bytes where their number is known, else in
	// objects.
	left, pace := float64(allBytes-bytes), rate
	if allBytes == 0 {
		left, pace = float64(all-objects), float64(objects-first.count)/took
	}
	if pace > 0 && left > 0 {
		text += fmt.Sprintf(", %s left", time.Duration(left/pace*float64(time.Second)).Round(time.Second))
	}
	return text
}
