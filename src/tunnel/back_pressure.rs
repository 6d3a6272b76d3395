//! Holding senders back, per connection (remotedialer `back_pressure.go`, `readbuffer.go`).

/// Both directions' state for one connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BackPressure {
    /// The peer asked us to stop sending.
    held: bool,
    /// We asked the peer to stop sending.
    holding: bool,
}

/// What to tell the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Pause,
    Resume,
}

impl BackPressure {
    /// The peer sent Pause.
    pub(super) fn on_pause(&mut self) {
        self.held = true;
    }

    /// The peer sent Resume; true if sending had been held.
    pub(super) fn on_resume(&mut self) -> bool {
        std::mem::replace(&mut self.held, false)
    }

    /// Whether we may send.
    pub(super) fn may_send(&self) -> bool {
        !self.held
    }

    /// `bytes` received bytes wait unread: the signal this calls for, if any.
    pub(super) fn buffered(&mut self, bytes: usize, pause_above: usize, resume_below: usize) -> Option<Signal> {
        match self.holding {
            false if bytes > pause_above => {
                self.holding = true;
                Some(Signal::Pause)
            }
            true if bytes < resume_below => {
                self.holding = false;
                Some(Signal::Resume)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_signal_each_way_between_the_marks() {
        let mut pressure = BackPressure::default();
        let signals: Vec<_> = [10, 101, 200, 60, 49, 0, 101].map(|bytes| pressure.buffered(bytes, 100, 50)).into();
        let expected = [None, Some(Signal::Pause), None, None, Some(Signal::Resume), None, Some(Signal::Pause)];
        assert_eq!(signals, expected);
    }
}
