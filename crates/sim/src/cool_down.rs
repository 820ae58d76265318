//! Values that a service takes once in a while only.

use rgctl_model::address::Address;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::observed::CoolDown;
use rgctl_model::ports::CloudError;

use super::refusals::refused;
use super::tables::{self, RequestedChange};
use super::world::World;

impl World {
    /// A value that was given too short a time ago is refused, whatever was in its place meanwhile.
    pub(super) fn refuse_cooling(
        &self,
        address: &Address,
        wanted: &AnyAttrs,
        asked: &[RequestedChange],
    ) -> Result<(), CloudError> {
        let Some(rule) = tables::of(address.kind).cool_down else { return Ok(()) };
        let cooling = self.objects.get(address).and_then(|object| object.cool_down.as_ref());
        let is_asked = asked.iter().any(|asked| asked.field == rule.field);
        match cooling.filter(|cooling| is_asked && cooling.until > self.now()) {
            Some(cooling) if wanted.text(rule.field).as_deref() == Some(rule.value) => {
                let message = format!(
                    "the {} of {address} cannot be {} again yet; try after {}",
                    rule.field, rule.value, cooling.until
                );
                Err(refused(rule.code, message))
            }
            _ => Ok(()),
        }
    }

    /// Notes that such a value was given just now.
    pub(super) fn cool_down(&mut self, address: &Address, wanted: &AnyAttrs, fields: &[&str]) {
        let Some(rule) = tables::of(address.kind).cool_down else { return };
        if fields.contains(&rule.field) && wanted.text(rule.field).as_deref() == Some(rule.value) {
            self.cast_shadow(address);
            let until = self.now() + rule.lasts;
            let cooling = CoolDown { field: rule.field.to_owned(), value: rule.value.to_owned(), until };
            self.edit(address, |object| object.cool_down = Some(Box::new(cooling)));
        }
    }
}
