//! What is in force between start and stop, and what a change of properties asks for.
//!
//! It stands behind one lock, which is held for moments only: the streaming thread takes it too. Whatever is made beside the
//! stream (a prompt's memory, an engine) has a number, and counts only while that number stands here.
//!
//! Not here: doing what is asked for ([`super::prompts`], [`super::swap`]).

use std::sync::Arc;

use polyp_engine::memory::PromptMemory;

use super::open::Remember;
use super::settings::{Draft, Settings};
use super::stats::Runs;

/// Prompts whose memories are kept, to be in force again at once.
const KEPT_MEMORIES: usize = 8;

/// A prompt as the property has it, `None` for the engine's own, and its memory.
pub(super) type Known = (Option<String>, Arc<PromptMemory>);

/// What is in force.
pub(super) struct Running {
    pub(super) settings: Arc<Settings>,
    /// The properties that name the engine in force.
    pub(super) in_force: Draft,
    pub(super) runs: Runs,
    /// Makes prompts' memories for the engine in force.
    pub(super) remember: Option<Remember>,
    /// Memories for the engine in force, the newest last.
    memories: Vec<Known>,
    /// The number of the engine in force: 0 for the one of the start, else that of its swap.
    pub(super) engine: u64,
    /// The number of the prompt that counts.
    prompt: u64,
    /// The swap that counts.
    swap: Option<Underway>,
}

/// A swap that is not over.
struct Underway {
    number: u64,
    /// The properties that it is for.
    draft: Draft,
}

/// An engine that is wanted in place of the one in force.
pub(super) struct Wanted {
    pub(super) number: u64,
    /// Whether it takes the place of another that was wanted.
    pub(super) anew: bool,
    pub(super) draft: Draft,
    pub(super) settings: Arc<Settings>,
}

/// A prompt that is wanted.
pub(super) struct Asked {
    pub(super) number: u64,
    pub(super) prompt: Option<String>,
    /// The number of the engine that it is for.
    pub(super) engine: u64,
    pub(super) remember: Option<Remember>,
    /// Its memory, if it was made before.
    pub(super) memory: Option<Arc<PromptMemory>>,
}

/// What is to become of the engine.
pub(super) enum Course {
    /// Nothing.
    Stay,
    /// What was wanted is no longer.
    Leave,
    /// Another is wanted.
    Swap(Box<Wanted>),
}

impl Running {
    /// In force from a start on.
    pub(super) fn new(draft: Draft, settings: Arc<Settings>, runs: Runs) -> Self {
        Self {
            settings,
            in_force: draft,
            runs,
            remember: None,
            memories: Vec::new(),
            engine: 0,
            prompt: 0,
            swap: None,
        }
    }

    /// Takes checked properties. What they ask for has `number`, which no other change has.
    pub(super) fn adopt(
        &mut self,
        draft: &Draft,
        settings: Settings,
        number: u64,
    ) -> (Option<Asked>, Course) {
        let old = std::mem::replace(&mut self.settings, Arc::new(settings));
        let is_asked = old.prompt != self.settings.prompt;
        let asked = is_asked.then(|| self.ask(number));
        let course = if draft.names_engine_of(&self.in_force) {
            // What is only looked at when an engine is opened goes along.
            self.in_force = draft.clone();
            self.swap.take().map_or(Course::Stay, |_left| Course::Leave)
        } else if is_asked || self.swap.as_ref().is_none_or(|swap| !swap.draft.names_engine_of(draft)) {
            // One that was made for another prompt would bring that prompt back.
            let anew = self.swap.replace(Underway { number, draft: draft.clone() }).is_some();
            let settings = Arc::clone(&self.settings);
            Course::Swap(Box::new(Wanted { number, anew, draft: draft.clone(), settings }))
        } else {
            Course::Stay
        };
        (asked, course)
    }

    fn ask(&mut self, number: u64) -> Asked {
        self.prompt = number;
        let prompt = self.settings.prompt.clone();
        let memory = self.memories.iter().find(|(known, _)| *known == prompt);
        let memory = memory.map(|(_, memory)| Arc::clone(memory));
        Asked { number, prompt, engine: self.engine, remember: self.remember.clone(), memory }
    }

    /// The prompt that is wanted and not in force yet, if there is one.
    pub(super) fn pending(&self) -> Option<Asked> {
        let prompt = self.settings.prompt.clone().filter(|prompt| *prompt != self.runs.prompt)?;
        Some(Asked {
            number: self.prompt,
            prompt: Some(prompt),
            engine: self.engine,
            remember: None,
            memory: None,
        })
    }

    /// Whether the prompt of that number, made for the engine of that number, counts.
    pub(super) fn counts(&self, prompt: u64, engine: u64) -> bool {
        self.prompt == prompt && self.engine == engine
    }

    /// Whether the swap of that number counts.
    pub(super) fn swaps(&self, number: u64) -> bool {
        self.swap.as_ref().is_some_and(|swap| swap.number == number)
    }

    /// Whether any swap counts.
    pub(super) fn is_swapping(&self) -> bool {
        self.swap.is_some()
    }

    /// The swap that counts is over, and nothing came of it.
    pub(super) fn leave_swap(&mut self) {
        self.swap = None;
    }

    /// Keeps a memory for the engine in force; the oldest goes.
    pub(super) fn keep(&mut self, known: Known) {
        self.memories.retain(|(prompt, _)| *prompt != known.0);
        if self.memories.len() >= KEPT_MEMORIES {
            self.memories.remove(0);
        }
        self.memories.push(known);
    }

    /// The engine that was wanted is in force.
    pub(super) fn switch(&mut self, number: u64, draft: Draft, runs: Runs, remember: Remember, known: Known) {
        (self.in_force, self.runs, self.engine, self.swap) = (draft, runs, number, None);
        self.remember = Some(remember);
        self.memories.clear();
        self.memories.push(known);
    }

    /// Another engine is in force, which has that memory, and what it took the place of is given back in its stead. No property names it.
    pub(super) fn exchange(
        &mut self,
        number: u64,
        (runs, remember): (&mut Runs, &mut Remember),
        known: Known,
    ) {
        std::mem::swap(&mut self.runs, runs);
        if let Some(own) = &mut self.remember {
            std::mem::swap(own, remember);
        }
        self.engine = number;
        self.memories.clear();
        self.memories.push(known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(engine: &str, prompt: &str) -> Draft {
        Draft { engine: engine.to_owned(), prompt: prompt.to_owned(), ..Draft::default() }
    }

    fn adopt(running: &mut Running, engine: &str, prompt: &str, number: u64) -> (Option<Asked>, Course) {
        let draft = draft(engine, prompt);
        running.adopt(&draft, draft.check().unwrap(), number)
    }

    fn running() -> Running {
        let draft = draft("a", "");
        Running::new(draft.clone(), Arc::new(draft.check().unwrap()), Runs::default())
    }

    fn memory(prompt: &str) -> Arc<PromptMemory> {
        let [encoder_sha256, engine_sha256] = [String::new(), String::new()];
        Arc::new(PromptMemory {
            prompt: prompt.to_owned(),
            encoder_sha256,
            engine_sha256,
            tensors: Vec::new(),
        })
    }

    #[test]
    fn another_engine_is_a_swap_until_the_one_in_force_is_named_again() {
        let mut running = running();
        assert!(matches!(adopt(&mut running, "a", "", 1), (None, Course::Stay)));
        let wanted = adopt(&mut running, "b", "", 2);
        assert!(matches!(wanted, (None, Course::Swap(wanted)) if wanted.number == 2));
        assert!(running.swaps(2));
        assert!(matches!(adopt(&mut running, "b", "", 3), (None, Course::Stay)), "it is on its way");
        assert!(running.swaps(2));
        assert!(matches!(adopt(&mut running, "a", "", 4), (None, Course::Leave)));
        assert!(!running.swaps(2));
    }

    #[test]
    fn a_swap_begins_anew_for_another_prompt() {
        let mut running = running();
        adopt(&mut running, "b", "", 1);
        let (asked, course) = adopt(&mut running, "b", "flat", 2);
        assert!(matches!(course, Course::Swap(wanted) if wanted.number == 2));
        assert_eq!(asked.map(|asked| (asked.prompt, asked.engine)), Some((Some("flat".to_owned()), 0)));
        assert!(running.swaps(2) && !running.swaps(1));
        assert!(running.counts(2, 0) && !running.counts(1, 0));
    }

    #[test]
    fn memories_are_kept_for_the_engine_in_force_alone() {
        let mut running = running();
        for index in 0..=KEPT_MEMORIES {
            let prompt = index.to_string();
            running.keep((Some(prompt.clone()), memory(&prompt)));
        }
        let known = |running: &mut Running, prompt: &str, number| {
            let (asked, _) = adopt(running, "a", prompt, number);
            asked.and_then(|asked| asked.memory).map(|memory| memory.prompt.clone())
        };
        assert_eq!(known(&mut running, "0", 1), None, "the oldest has gone");
        assert_eq!(known(&mut running, "1", 2), Some("1".to_owned()));
        adopt(&mut running, "b", "1", 3);
        let remember: Remember = Arc::new(|_| Ok(memory("own")));
        running.switch(3, draft("b", "1"), Runs::default(), remember, (Some("1".to_owned()), memory("1")));
        assert!(!running.swaps(3) && running.counts(2, 3));
        let (asked, course) = adopt(&mut running, "b", "2", 4);
        assert!(matches!(course, Course::Stay));
        assert_eq!(asked.map(|asked| (asked.engine, asked.memory.is_none())), Some((3, true)));
    }
}
