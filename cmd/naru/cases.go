package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// casesCmd talks to the operators' listener of a running integrator: the process that owns the database does what a person decides.
type casesCmd struct {
	List   casesList   `cmd:"" default:"withargs" help:"List what waits for a person."`
	Close  casesClose  `cmd:"" help:"Note that a case was seen to."`
	Resume casesResume `cmd:"" help:"Send again what a case is about, and close it."`
	Read   casesRead   `cmd:"" help:"Write a document that defends against a dispute into a file."`
	Paid   casesPaid   `cmd:"" help:"Note that the money of a settlement moved."`
	Refuse casesRefuse `cmd:"" help:"End a payout that certainly paid nothing."`
}

// echoCmd asks Google's echo through a running integrator (Korea Cards v1 §5.12).
type echoCmd struct {
	operator
	Account string `arg:"" help:"The payment integrator account (PIAID)."`
}

// Run asks. Google counts: calls at least ten seconds apart, at most thirty in a quarter of an hour.
func (c echoCmd) Run(ctx context.Context) error {
	if _, err := c.call(ctx, http.MethodPost, "/echo", map[string]string{"id": c.Account}); err != nil {
		return err
	}
	fmt.Println("Google answered: address, keys and account fit.")
	return nil
}

// operator is how a running integrator is reached.
type operator struct {
	Admin string `default:"http://127.0.0.1:7444" placeholder:"URL" help:"The operators' listener."`
}

type casesList struct {
	operator
	All  bool `help:"Closed ones too."`
	JSON bool `name:"json" help:"Print JSON."`
}

type casesClose struct {
	operator
	ID   string `arg:"" help:"The case, as list shows it."`
	Note string `required:"" help:"Why it is closed."`
}

type casesResume struct {
	operator
	ID   string `arg:"" help:"The case, as list shows it."`
	Note string `required:"" help:"Why it is sent again."`
}

type casesRead struct {
	operator
	ID  string `arg:"" help:"The evidence, as the journal of its dispute names it."`
	Out string `required:"" placeholder:"FILE" help:"A new file; it is for its owner alone."`
}

type casesPaid struct {
	operator
	ID        string `arg:"" help:"The settlement."`
	Reference string `required:"" help:"The bank's name of the payment."`
}

type casesRefuse struct {
	operator
	ID     string `arg:"" help:"The payout."`
	Reason string `required:"" enum:"account_closed,account_on_hold,account_closed_fraud,account_closed_taken_over,declined" help:"What the caller hears: ${enum}."`
	Note   string `required:"" help:"Why it is ended."`
}

// Run lists.
func (c casesList) Run(ctx context.Context) error {
	path := "/cases"
	if c.All {
		path += "?all=1"
	}
	body, err := c.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if c.JSON {
		_, err := os.Stdout.Write(body)
		return err
	}
	var list []struct {
		ID, Kind, Payment, Subject, Detail, Note string
		At                                       time.Time
		ClosedAt                                 *time.Time `json:"closed_at"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return errors.New("the integrator's answer is not a list of cases")
	}
	if len(list) == 0 {
		fmt.Println("Nothing waits for a person.")
		return nil
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "since\tcase\tpayment\twhat\tcan be sent again")
	for _, x := range list {
		what, again := x.Detail, "no"
		if x.ClosedAt != nil {
			what += " (closed: " + x.Note + ")"
		} else if slices.Contains([]string{"advice", "notice", "payout"}, strings.SplitN(x.Subject, "/", 2)[0]) {
			again = "yes"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", x.At.Format(time.DateTime), x.ID, x.Payment, what, again)
	}
	return t.Flush()
}

// Run closes.
func (c casesClose) Run(ctx context.Context) error {
	_, err := c.call(ctx, http.MethodPost, "/cases/close", map[string]string{"id": c.ID, "note": c.Note})
	return err
}

// Run sends again.
func (c casesResume) Run(ctx context.Context) error {
	_, err := c.call(ctx, http.MethodPost, "/cases/resume", map[string]string{"id": c.ID, "note": c.Note})
	return err
}

// Run reads evidence. A file that exists is not overwritten.
func (c casesRead) Run(ctx context.Context) error {
	body, err := c.call(ctx, http.MethodGet, "/evidence?id="+url.QueryEscape(c.ID), nil)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(c.Out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	return errors.Join(err, f.Close())
}

// Run notes a payment.
func (c casesPaid) Run(ctx context.Context) error {
	_, err := c.call(ctx, http.MethodPost, "/settlements/paid", map[string]string{"id": c.ID, "reference": c.Reference})
	return err
}

// Run ends a payout.
func (c casesRefuse) Run(ctx context.Context) error {
	_, err := c.call(ctx, http.MethodPost, "/payouts/refuse", map[string]string{"id": c.ID, "reason": c.Reason, "note": c.Note})
	return err
}

// largestAnswer is more than the largest document (16 MiB).
const largestAnswer = 64 << 20

func (o operator) call(ctx context.Context, method, path string, in any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(o.Admin, "/")+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("is the integrator running? %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, largestAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		var problem struct{ Error string }
		if json.Unmarshal(text, &problem) == nil && problem.Error != "" {
			return nil, errors.New(problem.Error)
		}
		return nil, errors.New(resp.Status)
	}
	return text, nil
}
