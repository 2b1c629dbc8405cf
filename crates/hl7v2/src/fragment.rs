//! A message that its sender cut into several (2.8.2 chapter 2.10.2.2): DSC says that another one goes
//! on with it, MSH-14 that it goes on with another one.

use crate::issue::Place;
use crate::message::Message;

impl Message {
    /// Where the message says that it is a part of one that was cut; nothing for a whole message.
    ///
    /// Some senders fill MSH-14 with what is no pointer. So it counts only where a part is missing: an
    /// ADD segment right behind the header, or a segment that the structure requires.
    pub fn fragment(&self) -> Option<Place> {
        let continued = self.segments().next_back().filter(|last| {
            // DSC-2 `I` asks to query for more, and this message is whole.
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
