package desk

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"naru/core/money"
	"naru/engine"
)

// tally is how many orders of a day stand in a state; its link shows them.
type tally struct {
	Mark  mark
	Count int64
	Href  string
}

type overview struct {
	Balance          engine.Balances
	Day              string
	Deposits, Payout []tally
	Parked           int
	ParkedCut        bool
	ParkedHref       string
	Days             int
}

func (d *Desk) overview(c *call) {
	now := d.cfg.Business().In(c.merchant.Location)
	today := now.Format(day)
	v := overview{Day: today, Days: usualDays}
	var err error
	if v.Balance, err = d.cfg.Engine.BalanceOf(c.ctx(), c.merchant.ID); err != nil {
		d.fail(c, err)
		return
	}
	v.Deposits, err = tallies(c, today, d.depositSource(), depositKinds)
	if err == nil {
		v.Payout, err = tallies(c, today, d.payoutSource(), payoutKinds)
	}
	if err != nil {
		d.fail(c, err)
		return
	}
	f := noticeFilter(c, now)
	all, more, err := d.look(c.ctx(), c.merchant.ID, f)
	if err != nil {
		d.fail(c, err)
		return
	}
	for _, n := range all {
		if parked(n) {
			v.Parked++
		}
	}
	v.ParkedCut, v.ParkedHref = more, root+"notices?state=parked&from="+f.From
	d.show(c, http.StatusOK, "overview", "Overview", v)
}

// tallies counts a day's orders by state.
func tallies[S ~string](c *call, today string, s source, kinds []kind[S]) (list []tally, err error) {
	from, err := dayOf(today, c.merchant.Location, 0)
	if err != nil {
		return nil, err
	}
	for _, k := range kinds {
		p := engine.Page{Merchant: c.merchant.ID, From: from, Limit: 1}
		for _, state := range k.States {
			p.States = append(p.States, string(state))
		}
		_, n, err := s.read(c.ctx(), p)
		if err != nil {
			return nil, err
		}
		list = append(list, tally{k.mark, n, root + s.id + "?state=" + k.ID + "&from=" + today})
	}
	return list, nil
}

// service is a way to be paid, or to pay out, as it was agreed.
type service struct {
	ID, Direction string
	Mark          mark
	Least, Most   string
	Fee           string
	Notes         string
}

type agreed struct {
	Services []service
	Settings []Setting
}

var (
	open   = mark{"Open", "ok", tick}
	closed = mark{"Closed", "bad", cross}
)

func (d *Desk) settings(c *call) {
	v := agreed{Settings: []Setting{
		{"Business day", c.merchant.Location.String()},
		{"Orders that end without money are notified", yes(c.merchant.TellEnds)},
		{"Deposits that the bank takes back are notified", yes(c.merchant.TellReversals)},
	}}
	for _, s := range c.merchant.Deposits {
		notes := []string{"an order lives " + lasts(s.Life)}
		if s.RealName {
			notes = append(notes, "only the payer's own name pays")
		}
		if s.Unique {
			notes = append(notes, "the amount may be lowered by up to "+won(money.New(s.Range, money.Of("KRW"))))
		}
		if s.Tokens {
			notes = append(notes, "with a code in the transfer")
		}
		if s.Register {
			notes = append(notes, "new payers register first")
		}
		v.Services = append(v.Services, described(s.ID, "Deposit", s.Closed, s.Limits, s.Fee, notes))
	}
	for _, s := range c.merchant.Payouts {
		var notes []string
		if s.Review != nil {
			notes = append(notes, "reviewed from "+won(*s.Review))
		}
		v.Services = append(v.Services, described(s.ID, "Payout", s.Closed, s.Limits, s.Fee, notes))
	}
	if d.cfg.Settings != nil {
		v.Settings = append(v.Settings, d.cfg.Settings(c.merchant.ID)...)
	}
	d.show(c, http.StatusOK, "settings", "Settings", v)
}

func described(id, direction string, shut bool, l engine.Limits, f engine.Fee, notes []string) service {
	s := service{
		ID: id, Direction: direction, Mark: open, Least: won(l.Least), Most: "no limit", Fee: fee(f), Notes: strings.Join(notes, "; "),
	}
	if shut {
		s.Mark = closed
	}
	if l.Most.IsPositive() {
		s.Most = won(l.Most)
	}
	return s
}

// fee writes a fee: its share in hundredths of a percent, and its fixed part.
func fee(f engine.Fee) string {
	share := fmt.Sprintf("%d.%02d %%", f.BP/100, f.BP%100)
	fixed := won(money.New(f.Fixed, money.Of("KRW")))
	switch {
	case f.BP == 0 && f.Fixed == 0:
		return "none"
	case f.Fixed == 0:
		return share
	case f.BP == 0:
		return fixed
	}
	return share + " + " + fixed
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// lasts writes a length of time in whole units.
func lasts(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + " h"
	case d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + " min"
	}
	return d.String()
}
