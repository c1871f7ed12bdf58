package bench

import (
	"context"
	"fmt"
	"io"

	"naru/rail/iso8583"
	"naru/rail/iso8583/sim"
)

// Acquirer runs the simulated acquirer until in ends, so that its work does not count as the server's.
func Acquirer(ctx context.Context, in io.Reader, out io.Writer) error {
	dialect, err := iso8583.LoadProfile(iso8583.DefaultProfile)
	if err != nil {
		return err
	}
	host, err := sim.Start(ctx, sim.Config{Profile: dialect, Address: "127.0.0.1:0", Polite: true})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, host.Addr())
	_, err = io.Copy(io.Discard, in)
	if closing := host.Close(); err == nil {
		err = closing
	}
	return err
}
