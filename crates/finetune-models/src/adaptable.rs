//! Implements [`Adaptable`], through which `finetune-peft` finds a model's layers by transformers'
//! names.

use finetune_peft::{Adaptable, ModuleInfo, Part, PartMut};

use crate::{Component, Family, SequenceClassifier, modules};

impl Adaptable for SequenceClassifier {
    fn model_type(&self) -> &str {
        self.config().family.model_type
    }

    fn modules(&self) -> Vec<ModuleInfo> {
        modules(self.config())
    }

    fn parts(&self) -> Vec<(String, Part<'_>)> {
        let family = self.config().family;
        let encoder = self.encoder.parts().into_iter();
        let head = self.head.parts().into_iter();
        encoder
            .chain(head.map(|(component, part)| (component, 0, part)))
            .map(|(component, layer, part)| (name(family, component, layer), part))
            .collect()
    }

    fn parts_mut(&mut self) -> Vec<(String, PartMut<'_>)> {
        let family = self.config().family;
        let encoder = self.encoder.parts_mut().into_iter();
        let head = self.head.parts_mut().into_iter();
        encoder
            .chain(head.map(|(component, part)| (component, 0, part)))
            .map(|(component, layer, part)| (name(family, component, layer), part))
            .collect()
    }
}

/// Returns a component's name in transformers. Every component of a model is in its family's table, so
/// the fallback is never taken.
fn name(family: &Family, component: Component, layer: usize) -> String {
    let name = family.name_of(component, layer);
    name.unwrap_or_else(|| component.path(layer))
}
