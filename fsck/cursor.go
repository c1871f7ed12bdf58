package fsck

// merge reads several tables side by side, each in the order of the payment that its rows belong to: every table is read once, and one
// payment is in memory at a time. After the first error its cursors give nothing more.
type merge struct {
	run  *run
	rows []rows
	err  error
}

func (m *merge) close() {
	for _, r := range m.rows {
		_ = r.Close()
	}
}

// A cursor stands at the next row of one table.
type cursor[T any] struct {
	merge *merge
	rows  rows
	into  func(*T) []any // where the columns after the first go; the first is the payment
	stray func(payment string, row T)

	payment string
	row     T
	more    bool
}

// open starts a query ordered by its first column. Rows that belong to no payment go to stray, if there is one.
func open[T any](m *merge, query string, into func(*T) []any, stray func(string, T), args ...any) *cursor[T] {
	c := &cursor[T]{merge: m, into: into, stray: stray}
	if m.err == nil {
		if c.rows, m.err = m.run.db.query(m.run.ctx, many, m.run.engine.words.Replace(query), args...); m.err == nil {
			m.rows = append(m.rows, c.rows)
			c.next()
		}
	}
	return c
}

func (c *cursor[T]) next() {
	if c.more = c.rows.Next(); !c.more {
		c.merge.err = c.rows.Err()
		return
	}
	var fresh T
	c.merge.err = c.rows.Scan(append([]any{&c.payment}, c.into(&fresh)...)...)
	c.row = fresh
}

// of gives the rows of a payment; payments are asked for in order.
func (c *cursor[T]) of(payment string) (list []T) {
	for c.merge.err == nil && c.more && c.payment <= payment {
		if c.payment == payment {
			list = append(list, c.row)
		} else {
			c.lost()
		}
		c.next()
	}
	return list
}

// end hands what is left to stray.
func (c *cursor[T]) end() {
	for c.merge.err == nil && c.more {
		c.lost()
		c.next()
	}
}

func (c *cursor[T]) lost() {
	if c.stray != nil {
		c.stray(c.payment, c.row)
	}
}
