package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"text/tabwriter"
	"time"
)

// creditsCmd is what a person decides about money that came by transfer (rails §3.7).
type creditsCmd struct {
	List   creditsList   `cmd:"" default:"withargs" help:"List money that is nobody's yet."`
	Assign creditsAssign `cmd:"" help:"Pay a deposit order with it."`
	Return creditsReturn `cmd:"" help:"Send it back to who transferred it."`
}

// depositsCmd ends deposit orders by hand.
type depositsCmd struct {
	Cancel depositsCancel `cmd:"" help:"Cancel an order that is not paid."`
	Fail   depositsFail   `cmd:"" help:"Refuse an order whose money was not its."`
}

// payoutsCmd decides about payouts that wait for a person.
type payoutsCmd struct {
	Approve payoutsApprove `cmd:"" help:"Let a payout go that is under review."`
	Cancel  payoutsCancel  `cmd:"" help:"End a payout of which nothing has left."`
	Settle  payoutsSettle  `cmd:"" help:"Say what the bank did with an order that it does not speak of by itself."`
}

// receiversCmd is about the accounts that payers transfer to.
type receiversCmd struct {
	List   receiversList   `cmd:"" default:"withargs" help:"List them, and how they do."`
	Pause  receiversPause  `cmd:"" help:"Show one to no new payer; what comes is still taken."`
	Resume receiversResume `cmd:"" help:"Show it again."`
}

type receiversList struct {
	operator
	JSON bool `name:"json" help:"Print JSON."`
}

type (
	receiversPause  struct{ decided }
	receiversResume struct{ decided }
)

// Run lists.
func (c receiversList) Run(ctx context.Context) error {
	body, err := c.call(ctx, http.MethodGet, "/receivers", nil)
	if err != nil {
		return err
	}
	if c.JSON {
		_, err := os.Stdout.Write(body)
		return err
	}
	var list []struct {
		ID, Bank, Note string
		Disabled       bool
		PausedAt       *time.Time `json:"paused_at"`
		Open, Today    int64
		LastCredit     *time.Time `json:"last_credit"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return errors.New("the integrator's answer is not a list of receiving accounts")
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "account\tbank\tstate\topen orders\tcame today\tlast transfer")
	for _, x := range list {
		state, last := "open", "never"
		switch {
		case x.Disabled:
			state = "disabled"
		case x.PausedAt != nil:
			state = "paused since " + x.PausedAt.Format(time.DateTime) + ": " + x.Note
		}
		if x.LastCredit != nil {
			last = x.LastCredit.Format(time.DateTime)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d KRW\t%s\n", x.ID, x.Bank, state, x.Open, x.Today, last)
	}
	return t.Flush()
}

// Run pauses.
func (c receiversPause) Run(ctx context.Context) error { return c.post(ctx, "/receivers/pause", nil) }

// Run resumes.
func (c receiversResume) Run(ctx context.Context) error { return c.post(ctx, "/receivers/resume", nil) }

// decided is what every decision is told with.
type decided struct {
	operator
	ID   string `arg:"" help:"What it is about, as the lists show it."`
	Note string `required:"" help:"Why."`
}

func (d decided) post(ctx context.Context, path string, more map[string]string) error {
	in := map[string]string{"id": d.ID, "note": d.Note}
	for k, v := range more {
		in[k] = v
	}
	_, err := d.call(ctx, http.MethodPost, path, in)
	return err
}

type creditsList struct {
	operator
	All  bool `help:"All that came."`
	JSON bool `name:"json" help:"Print JSON."`
}

type creditsAssign struct {
	decided
	Order string `required:"" placeholder:"PM00000001" help:"The gateway's number of the order."`
}

type creditsReturn struct {
	decided
	Bank string `required:"" help:"The transfer_bank that pays."`
}

type (
	depositsCancel struct{ decided }
	depositsFail   struct{ decided }
	payoutsApprove struct{ decided }
	payoutsCancel  struct{ decided }
)

type payoutsSettle struct {
	decided
	Paid   bool `xor:"what" required:"" help:"The bank has paid it."`
	Unpaid bool `xor:"what" required:"" help:"The bank has not paid it, and never will."`
}

// Run settles.
func (c payoutsSettle) Run(ctx context.Context) error {
	if c.Paid {
		return c.post(ctx, "/payouts/paid", nil)
	}
	return c.post(ctx, "/payouts/unpaid", nil)
}

// Run lists.
func (c creditsList) Run(ctx context.Context) error {
	path := "/credits"
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
		ID, State, Trouble, Rule, Receiver, Amount, Inputs string
		BookedAt                                           time.Time `json:"booked_at"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return errors.New("the integrator's answer is not a list of credits")
	}
	if len(list) == 0 {
		fmt.Println("All money that came has found its order.")
		return nil
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "booked\tstate\twhy\tamount\taccount\tcredit\twhat the rule saw")
	for _, x := range list {
		booked := x.BookedAt.Format(time.DateTime)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\trule %s: %s\n", booked, x.State, x.Trouble, x.Amount, x.Receiver, x.ID, x.Rule, x.Inputs)
	}
	return t.Flush()
}

// Run pays an order.
func (c creditsAssign) Run(ctx context.Context) error {
	return c.post(ctx, "/credits/assign", map[string]string{"order": c.Order})
}

// Run sends money back.
func (c creditsReturn) Run(ctx context.Context) error {
	return c.post(ctx, "/credits/return", map[string]string{"bank": c.Bank})
}

// Run cancels.
func (c depositsCancel) Run(ctx context.Context) error { return c.post(ctx, "/deposits/cancel", nil) }

// Run refuses.
func (c depositsFail) Run(ctx context.Context) error { return c.post(ctx, "/deposits/fail", nil) }

// Run approves.
func (c payoutsApprove) Run(ctx context.Context) error { return c.post(ctx, "/payouts/approve", nil) }

// Run cancels.
func (c payoutsCancel) Run(ctx context.Context) error { return c.post(ctx, "/payouts/cancel", nil) }
