//! Fragmented messages (2.8.2 chapter 2.10.2.2): DSC says that another message continues this one,
//! MSH-14 that this one continues another.

use crate::issue::Place;
use crate::message::Message;

impl Message {
    /// Returns the place that marks the message as a fragment; `None` for a complete message.
    ///
    /// Some senders fill MSH-14 with something that is not a continuation pointer. MSH-14 therefore
    /// counts only if a part is missing: an ADD segment right after the header, or an absent
    /// segment that the structure requires.
    pub fn fragment(&self) -> Option<Place> {
        let continued = self.segments().next_back().filter(|last| {
            // DSC-2 `I` asks the receiver to query for more; this message is complete.
            last.name() == "DSC" && !last.field(1).is_empty() && last.field(2).raw() != b"I"
        });
        if let Some(dsc) = continued {
            let place = Place {
                field: 1,
                ..dsc.place()
            };
            return Some(place);
        }
        let msh = self.first("MSH").filter(|msh| !msh.field(14).is_empty())?;
        let behind = self.segment_at(msh.index() + 1);
        let goes_on = behind.is_some_and(|segment| segment.name() == "ADD");
        let lacks = || {
            let mut issues = self.structure().issues().iter();
            issues.any(|issue| issue.kind == crate::IssueKind::MissingSegment)
        };
        (goes_on || lacks()).then(|| Place {
            field: 14,
            ..msh.place()
        })
    }
}
