package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// sloCmd asks a running node how calls went: every node of a database gives the same answer.
type sloCmd struct {
	operator
	From   string   `placeholder:"DATE" help:"The first day, in UTC; so that the last one is today if it is not said."`
	Days   int      `default:"7" help:"How many days."`
	Except []string `sep:"none" placeholder:"FROM/TO" help:"Leave out announced maintenance: 2026-03-02T01:00Z/2026-03-02T03:00Z, full hours."`
	JSON   bool     `name:"json" help:"Print JSON."`
}

// measured is how the calls of a method went in a time.
type measured struct {
	From            time.Time
	Hours           int
	API, Method     string
	Ours            bool
	Calls, Answered int64
	Within5s        int64 `json:"within_5s"`
	Within3s        int64 `json:"within_3s"`
	Missed          []string
}

// report is what a node says.
type report struct {
	Periods []measured
	Worst   []measured `json:"worst_24h"`
	Met     bool
}

// Run prints how calls went and fails where a goal was missed.
func (c sloCmd) Run(ctx context.Context) error { return c.write(ctx, os.Stdout) }

func (c sloCmd) write(ctx context.Context, to io.Writer) error {
	asked := url.Values{"days": {strconv.Itoa(c.Days)}, "except": c.Except}
	if c.From != "" {
		asked.Set("from", c.From)
	}
	body, err := c.call(ctx, http.MethodGet, "/slo?"+asked.Encode(), nil)
	if err != nil {
		return err
	}
	var r report
	if err := json.Unmarshal(body, &r); err != nil {
		return errors.New("the integrator's answer does not say how calls went")
	}
	if c.JSON {
		_, err = to.Write(body)
	} else {
		err = r.print(to)
	}
	if err == nil && !r.Met {
		return exit(statusFailed)
	}
	return err
}

func (r report) print(to io.Writer) error {
	if len(r.Periods) == 0 {
		_, err := fmt.Fprintln(to, "No call was measured.")
		return err
	}
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "period (UTC)\tmethod\tcalls\tavailability\twithin 5 s\twithin 3 s\tgoals")
	for _, p := range r.Periods {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", p.span(), p.name(), p.Calls,
			percent(p.Answered, p.Calls), percent(p.Within5s, p.Calls), percent(p.Within3s, p.Calls), p.goals())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(t, "\nworst 24 hours from (UTC)\tmethod\tcalls\tavailability\tgoal")
	for _, p := range r.Worst {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", p.From.Format("2006-01-02 15:04"), p.name(), p.Calls, percent(p.Answered, p.Calls), p.goals())
	}
	return t.Flush()
}

// span is the day of a period, and the hour where it is an hour.
func (p measured) span() string {
	if p.Hours == 1 {
		return p.From.Format("2006-01-02 15:04")
	}
	return p.From.Format(time.DateOnly)
}

func (p measured) name() string { return p.API + " " + p.Method }

func (p measured) goals() string {
	text := "met"
	if len(p.Missed) > 0 {
		text = "MISSED: " + strings.Join(p.Missed, ", ")
	}
	if p.Ours {
		text += " (our own)"
	}
	return text
}

// percent cuts what it does not show: 99.9 % is never written for less.
func percent(part, whole int64) string {
	thousandths := part * 100_000 / whole
	return fmt.Sprintf("%d.%03d %%", thousandths/1000, thousandths%1000)
}
